#include "datasets/deal.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace hone::datasets {

std::vector<int> deal(const std::vector<std::int64_t>& tokens, int world) {
  HONE_ASSERT(world > 0, "{} ranks", world);
  struct Hand {
    std::int64_t tokens = 0;
    std::size_t micro_batches = 0;
  };
  std::vector<Hand> hands(static_cast<std::size_t>(world));
  const std::size_t most = (tokens.size() + hands.size() - 1) / hands.size();

  std::vector<std::size_t> order(tokens.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater(), [&](std::size_t i) { return tokens[i]; });
  std::vector<int> ranks(tokens.size());
  for (const std::size_t i : order) {
    std::size_t chosen = hands.size();
    for (std::size_t rank = 0; rank < hands.size(); ++rank) {
      const bool has_room = hands[rank].micro_batches < most;
      if (has_room && (chosen == hands.size() || hands[rank].tokens < hands[chosen].tokens))
        chosen = rank;
    }
    hands[chosen].tokens += tokens[i];
    ++hands[chosen].micro_batches;
    ranks[i] = static_cast<int>(chosen);
  }
  return ranks;
}

}  // namespace hone::datasets
