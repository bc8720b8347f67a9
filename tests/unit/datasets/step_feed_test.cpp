#include "datasets/step_feed.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/error.h"

namespace hone::datasets {
namespace {

Dataset numbered_rows(std::int32_t count) {
  std::vector<Example> rows;
  for (std::int32_t i = 0; i < count; ++i) {
    Example row;
    row.ids.assign(static_cast<std::size_t>(1 + i % 5), i);
    row.weights.assign(row.ids.size(), 1.0f);
    rows.push_back(std::move(row));
  }
  return in_memory({.files = {"rows"}}, std::move(rows));
}

Sampler sampler_of(const Dataset& data) {
  return {data.lengths(),
          RowOrder::plain(data.size(), 3, true),
          {.tokens_per_batch = 16, .gradient_accumulation_steps = 2}};
}

TEST(StepFeed, GivesWhatSamplerAndRowsSayInAnyOrder) {
  const Dataset data = numbered_rows(50);
  const Sampler sampler = sampler_of(data);
  StepFeed feed(data, sampler, 30);
  for (const std::int64_t index : {0, 1, 2, 7, 8, 8, 3, 29, 0, 1}) {
    const StepFeed::Step step = feed.step(index);
    const Sampler::Step expected = sampler.step(index);
    EXPECT_EQ(step.epoch, expected.epoch);
    ASSERT_EQ(step.micro_batches.size(), expected.micro_batches.size());
    for (std::size_t i = 0; i < step.micro_batches.size(); ++i)
      EXPECT_EQ(step.micro_batches[i], make_batch(data, expected.micro_batches[i])) << index;
  }
}

TEST(StepFeed, MayBeMovedWhileItReads) {
  const Dataset data = numbered_rows(50);
  StepFeed feed(data, sampler_of(data), 30);
  feed.step(0);
  StepFeed moved = std::move(feed);
  EXPECT_EQ(moved.step(1).micro_batches[0],
            make_batch(data, sampler_of(data).step(1).micro_batches[0]));
}

/// Rows of which one cannot be read.
class BrokenRows : public RowStore {
 public:
  Example example(std::int64_t i) const override {
    HONE_CHECK(DataError, i != 4, "row 4 is damaged");
    Example row;
    row.ids = {1, 2};
    row.weights = {0, 1};
    return row;
  }
  RowFacts facts(std::int64_t) const override { return {}; }
};

TEST(StepFeed, TellsOfADamagedRowAtTheStepThatNeedsIt) {
  const std::vector<std::int64_t> lengths(8, 2);
  const Dataset data({}, {}, lengths, std::make_shared<const BrokenRows>());
  StepFeed feed(data, {lengths, RowOrder::plain(8, 0, false), {.rows_per_batch = 1}}, 8);
  for (std::int64_t i = 0; i < 4; ++i) EXPECT_NO_THROW(feed.step(i));
  EXPECT_THROW(feed.step(4), DataError);
  EXPECT_NO_THROW(feed.step(5));
}

}  // namespace
}  // namespace hone::datasets
