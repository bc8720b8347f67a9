#include "datasets/deal.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace hone::datasets {
namespace {

/// Places of the numbers, the largest first, equal ones as they stand.
std::vector<std::size_t> largest_first(const std::vector<std::int64_t>& numbers) {
  std::vector<std::size_t> order(numbers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater(),
                           [&](std::size_t i) { return numbers[i]; });
  return order;
}

}  // namespace

std::vector<int> deal(const std::vector<std::int64_t>& tokens, int world) {
  HONE_ASSERT(world > 0, "{} ranks", world);
  struct Hand {
    std::int64_t tokens = 0;
    std::size_t micro_batches = 0;
  };
  std::vector<Hand> hands(static_cast<std::size_t>(world));
  const std::size_t most = (tokens.size() + hands.size() - 1) / hands.size();

  std::vector<int> ranks(tokens.size());
  for (const std::size_t i : largest_first(tokens)) {
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

std::vector<std::vector<std::size_t>> share_out(const std::vector<std::int64_t>& tokens,
                                                std::size_t count) {
  HONE_ASSERT(count > 0 && count <= tokens.size(), "{} rows for {}", tokens.size(), count);
  std::vector<std::int64_t> sums(count, 0);
  std::vector<std::vector<std::size_t>> shares(count);
  for (const std::size_t i : largest_first(tokens)) {
    const auto least = static_cast<std::size_t>(std::ranges::min_element(sums) - sums.begin());
    sums[least] += tokens[i];
    shares[least].push_back(i);
  }
  for (std::vector<std::size_t>& share : shares) std::ranges::sort(share);
  std::ranges::sort(shares);
  return shares;
}

}  // namespace hone::datasets
