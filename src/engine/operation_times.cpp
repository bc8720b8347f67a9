#include "engine/operation_times.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace hone::engine {
namespace {

/// Seconds of each that none of those within it took, by place in `ran`.
/// @param ran those of a thread one behind the other, by their beginnings, callers first
std::vector<double> self_seconds(const std::vector<const Ran*>& ran) {
  std::vector<double> self;
  std::vector<std::size_t> open;  // those within which the next may lie, innermost last
  for (const Ran* one : ran) {
    const std::size_t i = self.size();
    const double seconds = static_cast<double>(one->end_ns - one->begin_ns) * 1e-9;
    while (!open.empty() &&
           (ran[open.back()]->thread != one->thread || ran[open.back()]->end_ns <= one->begin_ns))
      open.pop_back();
    if (!open.empty()) self[open.back()] -= seconds;
    self.push_back(seconds);
    open.push_back(i);
  }
  return self;
}

/// Phases do not overlap. @return the one during which something began, or null
const Ran* phase_at(const std::vector<const Ran*>& phases, std::uint64_t begin_ns) {
  const auto after =
      std::ranges::upper_bound(phases, begin_ns, {}, [](const Ran* one) { return one->begin_ns; });
  if (after == phases.begin()) return nullptr;
  const Ran* phase = *std::prev(after);
  return begin_ns < phase->end_ns ? phase : nullptr;
}

}  // namespace

std::vector<OperationTime> operation_times(std::span<const Ran> ran) {
  std::vector<const Ran*> sorted, phases;
  for (const Ran& one : ran) sorted.push_back(&one);
  std::ranges::sort(sorted, {}, [](const Ran* one) {
    return std::tuple(one->thread, one->begin_ns, ~one->end_ns, !one->is_phase);
  });
  std::ranges::copy_if(sorted, std::back_inserter(phases), &Ran::is_phase);
  std::ranges::sort(phases, {}, &Ran::begin_ns);

  const std::vector<double> self = self_seconds(sorted);
  std::map<std::pair<std::string, std::string>, OperationTime> times;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const Ran& one = *sorted[i];
    const Ran* phase = one.is_phase ? &one : phase_at(phases, one.begin_ns);
    const std::string name = phase == nullptr ? "" : phase->name;
    OperationTime& time = times[{name, one.name}];
    time.phase = name;
    time.operation = one.name;
    ++time.calls;
    time.self_s += self[i];
    time.total_s += static_cast<double>(one.end_ns - one.begin_ns) * 1e-9;
  }
  std::vector<OperationTime> all;
  for (auto& [key, time] : times) all.push_back(std::move(time));
  std::ranges::stable_sort(all, std::ranges::greater(), &OperationTime::self_s);
  return all;
}

}  // namespace hone::engine
