#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/philox.h"
#include "datasets/deal.h"
#include "datasets/sampler.h"

namespace hone::datasets {
namespace {

using Rows = std::vector<std::int64_t>;

/// As real rows are: most short, some many times as long.
Rows uneven_lengths(std::int64_t count) {
  const Philox random(5);
  Rows lengths;
  for (std::int64_t i = 0; i < count; ++i) {
    const double uniform = double(random(std::uint64_t(i), 0).w[0]) / 4294967296.0;
    lengths.push_back(20 + std::int64_t(60 / (0.05 + uniform)));
  }
  return lengths;
}

Sampler sampler_of(const Rows& lengths, std::int64_t rows, std::int64_t accumulation,
                   bool balance) {
  return Sampler(
      lengths, RowOrder::plain(std::ssize(lengths), 3, true),
      {.rows_per_batch = rows, .gradient_accumulation_steps = accumulation, .balance = balance});
}

std::int64_t tokens_of(const Rows& lengths, const Rows& rows) {
  return std::accumulate(
      rows.begin(), rows.end(), std::int64_t{0},
      [&](std::int64_t sum, auto row) { return sum + lengths[std::size_t(row)]; });
}

Rows flat(const Sampler::Step& step) {
  Rows all;
  for (const Rows& batch : step.micro_batches) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

TEST(ShareOut, GivesTheLongestFirstToTheLightest) {
  using Shares = std::vector<std::vector<std::size_t>>;
  EXPECT_EQ(share_out({3, 10, 6, 7}, 2), (Shares{{0, 1}, {2, 3}}));
  EXPECT_EQ(share_out({1, 9, 1, 1, 5}, 3), (Shares{{0, 2, 3}, {1}, {4}}));
  EXPECT_EQ(share_out({5, 5, 5, 5}, 2), (Shares{{0, 2}, {1, 3}})) << "ties by place";
  EXPECT_EQ(share_out({4, 8}, 2), (Shares{{0}, {1}}));
  EXPECT_EQ(share_out({4, 8}, 1), (Shares{{0, 1}}));
}

TEST(BalancedSampler, KeepsTheRowsOfEachStep) {
  const Rows lengths = uneven_lengths(103);  // the last step of an epoch is short
  const Sampler plain = sampler_of(lengths, 4, 6, false), even = sampler_of(lengths, 4, 6, true);
  const std::int64_t steps = 2 * plain.steps_per_epoch(0);
  for (std::int64_t i = 0; i < steps; ++i) {
    const Sampler::Step one = plain.step(i), other = even.step(i);
    EXPECT_EQ(one.epoch, other.epoch);
    EXPECT_EQ(one.micro_batches.size(), other.micro_batches.size());
    const Rows order = flat(one);
    Rows before = order, after = flat(other);
    std::ranges::sort(before);
    std::ranges::sort(after);
    EXPECT_EQ(before, after) << "step " << i;
    for (const Rows& batch : other.micro_batches) {
      ASSERT_FALSE(batch.empty());
      const auto place = [&](std::int64_t row) { return std::ranges::find(order, row); };
      EXPECT_TRUE(std::ranges::is_sorted(batch, {}, place)) << "in the step's order";
    }
  }
}

TEST(BalancedSampler, GivesRanksNearlyEqualTokens) {
  const Rows lengths = uneven_lengths(4000);
  constexpr int kWorld = 4;
  const auto heaviest_to_mean = [&](bool balance) {
    const Sampler sampler = sampler_of(lengths, 8, kWorld * 2, balance);
    double sum = 0;
    const std::int64_t steps = sampler.steps_per_epoch(0) - 1;  // but for the short one
    for (std::int64_t i = 0; i < steps; ++i) {
      Rows tokens;
      for (const Rows& batch : sampler.step(i).micro_batches)
        tokens.push_back(tokens_of(lengths, batch));
      const std::vector<int> ranks = deal(tokens, kWorld);
      Rows of_ranks(kWorld, 0);
      for (std::size_t k = 0; k < tokens.size(); ++k) of_ranks[std::size_t(ranks[k])] += tokens[k];
      const double mean =
          double(std::accumulate(tokens.begin(), tokens.end(), std::int64_t{0})) / kWorld;
      sum += double(std::ranges::max(of_ranks)) / mean;
    }
    return sum / double(steps);
  };
  EXPECT_GT(heaviest_to_mean(false), 1.05);
  EXPECT_LT(heaviest_to_mean(true), 1.02);
}

TEST(BalancedSampler, KnowsItsExtremes) {
  const Rows lengths = uneven_lengths(103);
  const Sampler sampler = sampler_of(lengths, 4, 6, true);
  const std::int64_t steps = sampler.steps_per_epoch(0);
  const Sampler::Extremes found = sampler.extremes(steps);
  std::int64_t longest = 0, shortest = found.shortest_tokens, of_first = 0;
  for (std::int64_t i = 0; i < steps; ++i)
    for (const Rows& batch : sampler.step(i).micro_batches) {
      const std::int64_t tokens = tokens_of(lengths, batch);
      longest = std::max(longest, tokens);
      shortest = std::min(shortest, tokens);
      if (i == 0) of_first = std::max(of_first, tokens);
    }
  EXPECT_EQ(found.longest_tokens, longest);
  EXPECT_EQ(found.shortest_tokens, shortest);
  EXPECT_EQ(found.longest_of_first_step, of_first);
  EXPECT_EQ(tokens_of(lengths, found.longest), longest);
}

TEST(BalancedSampler, LeavesTokenBudgetsAsTheyAre) {
  const Rows lengths = uneven_lengths(60);
  const auto budget = [&](bool balance) {
    return Sampler(lengths, RowOrder::plain(60, 3, true),
                   {.tokens_per_batch = 900, .gradient_accumulation_steps = 3, .balance = balance});
  };
  for (std::int64_t i = 0; i < 6; ++i)
    EXPECT_EQ(budget(true).step(i).micro_batches, budget(false).step(i).micro_batches);
}

}  // namespace
}  // namespace hone::datasets
