#include "datasets/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "base/error.h"
#include "support/support.h"

namespace hone::datasets {
namespace {

using Rows = std::vector<std::int64_t>;

/// Lengths from 1 to 50 in no simple order.
Rows lengths(std::int64_t count) {
  Rows result;
  for (std::int64_t i = 0; i < count; ++i) result.push_back(1 + (i * 37 + i * i * 11) % 50);
  return result;
}

struct Order {
  std::uint64_t seed = 0;
  bool shuffle = true;
};

Sampler make_sampler(Rows lengths_of_rows, Order order, SamplerOptions options = {}) {
  auto rows = RowOrder::plain(std::ssize(lengths_of_rows), order.seed, order.shuffle);
  return Sampler(std::move(lengths_of_rows), std::move(rows), options);
}

Rows rows_of_step(const Sampler::Step& step) {
  Rows rows;
  for (const Rows& batch : step.micro_batches) rows.insert(rows.end(), batch.begin(), batch.end());
  return rows;
}

Rows rows_of_epoch(const Sampler& sampler, std::int64_t epoch) {
  std::int64_t first = 0;
  for (std::int64_t e = 0; e < epoch; ++e) first += sampler.steps_per_epoch(e);
  Rows rows;
  for (std::int64_t i = 0; i < sampler.steps_per_epoch(epoch); ++i) {
    const Rows more = rows_of_step(sampler.step(first + i));
    rows.insert(rows.end(), more.begin(), more.end());
  }
  return rows;
}

Rows all_rows(std::int64_t count) {
  Rows rows(static_cast<std::size_t>(count));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

Rows sorted(Rows rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

TEST(Sampler, KeepsTheFilesOrderWithoutShuffle) {
  const Sampler sampler = make_sampler(lengths(7), {.shuffle = false},
                                       {.rows_per_batch = 2, .gradient_accumulation_steps = 3});
  EXPECT_EQ(sampler.steps_per_epoch(0), 2);
  EXPECT_EQ(sampler.step(0).micro_batches, (std::vector<Rows>{{0, 1}, {2, 3}, {4, 5}}));
  EXPECT_EQ(sampler.step(1).micro_batches, (std::vector<Rows>{{6}}));
  EXPECT_EQ(sampler.step(2).micro_batches, sampler.step(0).micro_batches);
  EXPECT_DOUBLE_EQ(sampler.step(0).epoch, 0.75);
  EXPECT_DOUBLE_EQ(sampler.step(1).epoch, 1.0);
  EXPECT_DOUBLE_EQ(sampler.step(2).epoch, 1.75);
}

TEST(Sampler, HasEveryRowOncePerEpoch) {
  for (const std::int64_t tokens : {0, 64}) {
    for (const std::int64_t count : {1, 2, 97, 256}) {
      const Sampler sampler = make_sampler(
          lengths(count), {.seed = 5},
          {.rows_per_batch = 4, .tokens_per_batch = tokens, .gradient_accumulation_steps = 3});
      for (std::int64_t epoch = 0; epoch < 4; ++epoch)
        EXPECT_EQ(sorted(rows_of_epoch(sampler, epoch)), all_rows(count)) << tokens << " " << count;
    }
  }
}

TEST(Sampler, OrderChangesWithEpochAndSeed) {
  const Sampler sampler = make_sampler(lengths(64), {.seed = 1});
  std::set<Rows> orders;
  for (std::int64_t epoch = 0; epoch < 5; ++epoch) orders.insert(rows_of_epoch(sampler, epoch));
  orders.insert(rows_of_epoch(make_sampler(lengths(64), {.seed = 2}), 0));
  orders.insert(all_rows(64));
  EXPECT_EQ(orders.size(), 7u);
}

TEST(Sampler, IsPure) {
  for (const std::int64_t tokens : {0, 80}) {
    const SamplerOptions options{
        .rows_per_batch = 3, .tokens_per_batch = tokens, .gradient_accumulation_steps = 2};
    const Sampler forwards = make_sampler(lengths(50), {.seed = 9}, options);
    std::vector<Sampler::Step> steps;
    for (std::int64_t i = 0; i < 40; ++i) steps.push_back(forwards.step(i));
    const Sampler backwards = make_sampler(lengths(50), {.seed = 9}, options);
    for (std::int64_t i = 39; i >= 0; --i) {
      const Sampler resumed = make_sampler(lengths(50), {.seed = 9}, options);
      const auto& expected = steps[static_cast<std::size_t>(i)];
      EXPECT_EQ(backwards.step(i).micro_batches, expected.micro_batches);
      EXPECT_EQ(resumed.step(i).micro_batches, expected.micro_batches);
      EXPECT_EQ(resumed.step(i).epoch, expected.epoch);
    }
  }
}

TEST(Sampler, FillsTheTokenBudgetAndNeverExceedsIt) {
  const Rows sizes = lengths(200);
  constexpr std::int64_t kBudget = 60;
  const Sampler sampler = make_sampler(sizes, {.seed = 3}, {.tokens_per_batch = kBudget});
  const auto tokens = [&](const Rows& rows) {
    return std::accumulate(rows.begin(), rows.end(), std::int64_t{0}, [&](auto sum, auto row) {
      return sum + sizes[static_cast<std::size_t>(row)];
    });
  };
  for (std::int64_t i = 0; i + 1 < sampler.steps_per_epoch(0); ++i) {
    const Rows batch = sampler.step(i).micro_batches.at(0);
    const std::int64_t next = sampler.step(i + 1).micro_batches.at(0).front();
    EXPECT_LE(tokens(batch), kBudget);
    EXPECT_GT(tokens(batch) + sizes[static_cast<std::size_t>(next)], kBudget) << "had room left";
  }
}

TEST(Sampler, GivesARowBeyondTheBudgetABatchOfItsOwn) {
  const Sampler sampler = make_sampler({3, 100, 4, 5}, {.shuffle = false},
                                       {.tokens_per_batch = 10, .gradient_accumulation_steps = 8});
  EXPECT_EQ(sampler.step(0).micro_batches, (std::vector<Rows>{{0}, {1}, {2, 3}}));
}

TEST(Sampler, CountsPartsOfEpochsAsTransformersDoes) {
  // 20 rows, 2 a micro-batch, 3 micro-batches a step: 10 micro-batches are 4 steps.
  const Sampler sampler =
      make_sampler(lengths(20), {}, {.rows_per_batch = 2, .gradient_accumulation_steps = 3});
  EXPECT_EQ(sampler.total_steps(1), 4);
  EXPECT_EQ(sampler.total_steps(3), 12);
  EXPECT_EQ(sampler.total_steps(0.5), 2);
  EXPECT_EQ(sampler.total_steps(0.51), 3);
  EXPECT_EQ(sampler.total_steps(0.001), 1);
  EXPECT_EQ(sampler.total_steps(1.25), 5);
  EXPECT_EQ(make_sampler(lengths(10), {}).total_steps(1.1), 11);  // 1.1 - 1 > 0.1 in binary
}

TEST(Sampler, TotalStepsAddUpWithATokenBudget) {
  const Sampler sampler = make_sampler(lengths(90), {.seed = 4}, {.tokens_per_batch = 55});
  std::int64_t sum = 0;
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) sum += sampler.steps_per_epoch(epoch);
  EXPECT_EQ(sampler.total_steps(3), sum);
  EXPECT_DOUBLE_EQ(sampler.step(sum - 1).epoch, 3.0);
  EXPECT_LT(sampler.step(sum - 2).epoch, 3.0);
}

TEST(Sampler, RefusesWhatHasNoBatches) {
  const auto message = [](Rows rows, SamplerOptions options) {
    return test::message_of<InputError>([&] { make_sampler(std::move(rows), {}, options); });
  };
  EXPECT_TRUE(test::contains(message({}, {}), "no row"));
  EXPECT_TRUE(test::contains(message({1}, {.rows_per_batch = 0}), "got 0 rows and 0 tokens"));
  EXPECT_TRUE(test::contains(message({1}, {.gradient_accumulation_steps = 0}),
                             "gradient_accumulation_steps: expected at least 1, got 0"));
  for (const double epochs : {0.0, -1.0, 1e300}) {
    EXPECT_TRUE(test::contains(
        test::message_of<ConfigError>([&] { make_sampler({1}, {}).total_steps(epochs); }),
        "num_train_epochs"));
  }
}

TEST(Sampler, KnowsTheLongestAndTheShortestMicroBatchOfARun) {
  const Rows of_rows = lengths(101);
  const auto tokens_of = [&](const Rows& batch) {
    std::int64_t tokens = 0;
    for (const std::int64_t row : batch) tokens += of_rows[static_cast<std::size_t>(row)];
    return tokens;
  };
  for (const std::int64_t budget : {0, 90}) {
    const SamplerOptions options = {
        .rows_per_batch = 4, .tokens_per_batch = budget, .gradient_accumulation_steps = 3};
    const Sampler sampler = make_sampler(of_rows, {.seed = 5}, options);
    for (const std::int64_t steps : {1, 7, 40}) {
      std::int64_t longest = 0, shortest = 1 << 30, of_first = 0;
      for (std::int64_t index = 0; index < steps; ++index) {
        for (const Rows& batch : sampler.step(index).micro_batches) {
          longest = std::max(longest, tokens_of(batch));
          shortest = std::min(shortest, tokens_of(batch));
          if (index == 0) of_first = std::max(of_first, tokens_of(batch));
        }
      }
      const Sampler::Extremes found = sampler.extremes(steps);
      EXPECT_EQ(found.longest_tokens, longest);
      EXPECT_EQ(tokens_of(found.longest), longest);
      EXPECT_EQ(found.shortest_tokens, shortest);
      EXPECT_EQ(tokens_of(found.shortest), shortest);
      EXPECT_EQ(found.longest_of_first_step, of_first);
    }
  }
}

}  // namespace
}  // namespace hone::datasets
