#include "datasets/deal.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/philox.h"
#include "datasets/step_feed.h"

namespace hone::datasets {
namespace {

std::vector<std::int64_t> tokens_of_ranks(const std::vector<std::int64_t>& tokens,
                                          const std::vector<int>& ranks, int world) {
  std::vector<std::int64_t> sums(static_cast<std::size_t>(world));
  for (std::size_t i = 0; i < tokens.size(); ++i) sums[std::size_t(ranks[i])] += tokens[i];
  return sums;
}

TEST(Deal, GivesTheLongestFirstToWhoHasLeast) {
  EXPECT_EQ(deal({10, 7, 6, 3}, 2), (std::vector<int>{0, 1, 1, 0}));
  EXPECT_EQ(deal({1, 100, 1, 1}, 2), (std::vector<int>{1, 0, 1, 0}));
  EXPECT_EQ(deal({5, 5, 5}, 1), (std::vector<int>{0, 0, 0}));
}

TEST(Deal, LeavesSomeWithoutWhereThereAreTooFew) {
  EXPECT_EQ(deal({4, 9}, 4), (std::vector<int>{1, 0}));
  EXPECT_TRUE(deal({}, 4).empty());
}

TEST(Deal, IsBalancedAndGivesNobodyMoreThanItsShare) {
  const Philox random(7);
  for (std::uint64_t round = 0; round < 50; ++round) {
    const int world = 2 + static_cast<int>(round % 7);
    const auto each = static_cast<std::int64_t>(4 + round % 5);
    std::vector<std::int64_t> tokens;
    for (std::int64_t i = 0; i < world * each; ++i)
      tokens.push_back(100 + random(std::uint64_t(i), round).w[0] % 400);
    const std::vector<int> ranks = deal(tokens, world);
    for (int rank = 0; rank < world; ++rank)
      EXPECT_EQ(std::ranges::count(ranks, rank), each) << "as many as the others";
    const auto sums = tokens_of_ranks(tokens, ranks, world);
    const auto [least, most] = std::ranges::minmax(sums);
    EXPECT_LT(double(most), 1.15 * double(least)) << world << " ranks, " << each << " each";
  }
}

TEST(Deal, OfAFeedSharesTheRowsOfOneRankOut) {
  std::vector<Example> rows;
  for (std::int32_t i = 0; i < 23; ++i) {
    Example row;
    row.ids.assign(static_cast<std::size_t>(1 + i % 5), i);
    row.weights.assign(row.ids.size(), 1.0f);
    row.responses.assign(row.ids.size(), 1);
    rows.push_back(std::move(row));
  }
  const Dataset data = in_memory({.files = {"rows"}}, std::move(rows));
  const Sampler sampler(data.lengths(), RowOrder::plain(data.size(), 3, true),
                        {.rows_per_batch = 2, .gradient_accumulation_steps = 6});
  constexpr int kWorld = 3;
  StepFeed alone(data, sampler, 4);
  std::vector<StepFeed> feeds;
  for (int rank = 0; rank < kWorld; ++rank) feeds.emplace_back(data, sampler, 4, rank, kWorld);
  for (std::int64_t index = 0; index < 4; ++index) {
    const StepFeed::Step whole = alone.step(index);
    std::vector<int> owners(whole.micro_batches.size());
    for (StepFeed& feed : feeds) {
      const StepFeed::Step step = feed.step(index);
      EXPECT_EQ(step.micro_batches, whole.micro_batches) << "all know the whole step";
      for (std::size_t i = 0; i < owners.size(); ++i) owners[i] += step.is_own(i);
    }
    for (std::size_t i = 0; i < owners.size(); ++i) {
      EXPECT_TRUE(whole.is_own(i));
      EXPECT_EQ(owners[i], 1) << "micro-batch " << i << " of step " << index;
    }
  }
}

}  // namespace
}  // namespace hone::datasets
