#include "datasets/audit/statistics.h"

#include <gtest/gtest.h>

#include <numeric>

namespace hone::datasets::audit {
namespace {

TEST(Statistics, QuantilesAreValuesOfRows) {
  std::vector<std::int64_t> values(100);
  std::iota(values.begin(), values.end(), 1);
  const Distribution d = describe("x", values);
  EXPECT_EQ(d.least, 1);
  EXPECT_EQ(d.most, 100);
  EXPECT_EQ(d.median, 50);
  EXPECT_EQ(d.p05, 5);
  EXPECT_EQ(d.p95, 95);
  EXPECT_EQ(d.p99, 99);
  EXPECT_DOUBLE_EQ(d.mean, 50.5);
  EXPECT_EQ(std::accumulate(d.bins.begin(), d.bins.end(), std::int64_t{0}), 100);
}

TEST(Statistics, BinsHoldOneValueAndOutliers) {
  EXPECT_EQ(describe("x", {7, 7, 7}).bins, (std::vector<std::int64_t>{3}));
  EXPECT_TRUE(describe("x", {}).bins.empty());
  std::vector<std::int64_t> values(1000, 10);
  values.push_back(1'000'000);
  const Distribution d = describe("x", values);
  EXPECT_LE(d.bins.size(), 30u);
  EXPECT_EQ(std::accumulate(d.bins.begin(), d.bins.end(), std::int64_t{0}), 1001);
}

// Values of the binomial distribution and of Wilson's formula, computed apart.
TEST(Statistics, SignTestAndIntervalAreThoseOfTheBook) {
  const PairLengths lengths{.chosen_longer = 8, .rejected_longer = 2, .equal = 5};
  EXPECT_DOUBLE_EQ(lengths.share(), 0.8);
  EXPECT_NEAR(lengths.sign_test(), 2 * (1 + 10 + 45) / 1024.0, 1e-12);
  const auto [low, high] = lengths.interval();
  EXPECT_NEAR(low, 0.4902, 1e-4);
  EXPECT_NEAR(high, 0.9433, 1e-4);
  EXPECT_EQ(PairLengths({.chosen_longer = 5, .rejected_longer = 5}).sign_test(), 1.0);
  EXPECT_EQ(PairLengths{}.share(), 0.5);
}

}  // namespace
}  // namespace hone::datasets::audit
