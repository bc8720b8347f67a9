#include "base/philox.h"

#include <set>
#include <vector>

#include "support/support.h"

namespace hone {
namespace {

// The known-answer values of Random123's kat_vectors for philox4x32 with 10 rounds.
TEST(Philox, MatchesKnownAnswers) {
  const auto zero = Philox(0)(0, 0);
  EXPECT_EQ(std::vector<std::uint32_t>(zero.w, zero.w + 4),
            (std::vector<std::uint32_t>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint64_t ones = ~std::uint64_t{0};
  const auto full = Philox(ones)(ones, ones);
  EXPECT_EQ(std::vector<std::uint32_t>(full.w, full.w + 4),
            (std::vector<std::uint32_t>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(Philox, UniformStaysBelowOne) {
  EXPECT_EQ(Philox::uniform(0), 0.0f);
  EXPECT_LT(Philox::uniform(0xffffffffu), 1.0f);
}

TEST(Permute, IsABijectionForEverySize) {
  for (std::uint64_t n : {1ull, 2ull, 3ull, 4ull, 5ull, 17ull, 160ull, 1000ull, 4097ull}) {
    std::set<std::uint64_t> seen;
    for (std::uint64_t i = 0; i < n; ++i) seen.insert(permute(i, n, 42, 7));
    EXPECT_EQ(seen.size(), n);
    EXPECT_EQ(*seen.rbegin(), n - 1);
  }
}

TEST(Permute, DependsOnSeedAndStream) {
  const auto order = [](std::uint64_t seed, std::uint64_t stream) {
    std::vector<std::uint64_t> result;
    for (std::uint64_t i = 0; i < 100; ++i) result.push_back(permute(i, 100, seed, stream));
    return result;
  };
  EXPECT_EQ(order(1, 1), order(1, 1));
  EXPECT_NE(order(1, 1), order(2, 1));
  EXPECT_NE(order(1, 1), order(1, 2));
}

// Each item should land in each place about equally often: chi-squared over 12 items and 6000 seeds
// has 121 degrees of freedom; 200 is beyond the 1e-5 quantile.
TEST(Permute, PlacesItemsEvenly) {
  constexpr std::uint64_t kItems = 12, kSeeds = 6000;
  std::vector<int> count(kItems * kItems);
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed)
    for (std::uint64_t i = 0; i < kItems; ++i) ++count[i * kItems + permute(i, kItems, seed, 3)];
  const double expected = double(kSeeds) / kItems;
  double chi_squared = 0;
  for (int c : count) chi_squared += (c - expected) * (c - expected) / expected;
  EXPECT_LT(chi_squared, 200);
}

}  // namespace
}  // namespace hone
