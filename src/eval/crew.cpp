#include "eval/crew.h"

#include <algorithm>

#include "base/error.h"
#include "base/interrupt.h"

namespace hone::eval {

std::vector<Numbers> exchange_or_leave(const Crew& crew, Numbers own) {
  own.push_back(interrupt_requested() != 0 ? 1 : 0);
  std::vector<Numbers> all = crew.exchange(own);
  HONE_ASSERT(std::ssize(all) == crew.world, "{} of {} answers", all.size(), crew.world);
  const bool leave = std::ranges::any_of(all, [](const Numbers& said) { return said.back() != 0; });
  if (leave) throw Interrupted("a signal ended an evaluation that several processes make");
  for (Numbers& said : all) said.pop_back();
  return all;
}

std::vector<Numbers> measure_round(const Crew& crew, std::size_t count,
                                   const std::function<Numbers(std::size_t index)>& measure) {
  if (crew.is_alone()) {
    std::vector<Numbers> found;
    for (std::size_t i = 0; i < count; ++i) found.push_back(measure(i));
    return found;
  }
  HONE_ASSERT(count > 0 && count <= static_cast<std::size_t>(crew.world), "{} pieces", count);
  const InterruptHold hold;
  const auto own = static_cast<std::size_t>(crew.rank);
  Numbers found;
  if (own < count || crew.passes_together) found = measure(own < count ? own : 0);
  if (own >= count) found.clear();
  std::vector<Numbers> all = exchange_or_leave(crew, std::move(found));
  all.resize(count);
  return all;
}

}  // namespace hone::eval
