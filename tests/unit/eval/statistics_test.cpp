#include "eval/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hone::eval {
namespace {

TEST(Wilson, IsTheClosedForm) {
  // The two ends are the shares p for which (x/n − p)² = z² p (1 − p) / n.
  for (const auto& [x, n] : {std::pair{81.0, 263.0}, {1.0, 10.0}, {50.0, 100.0}}) {
    const Interval interval = wilson(x, n);
    for (const double p : {interval.low, interval.high})
      EXPECT_NEAR(std::pow(x / n - p, 2), kTwoSided95 * kTwoSided95 * p * (1 - p) / n, 1e-12);
    EXPECT_LT(interval.low, x / n);
    EXPECT_GT(interval.high, x / n);
  }
  // Newcombe, Statistics in Medicine 17 (1998), 857–872, table I: 81 of 263 and 15 of 148.
  EXPECT_NEAR(wilson(81, 263).low, 0.2553, 5e-5);
  EXPECT_NEAR(wilson(81, 263).high, 0.3662, 5e-5);
  EXPECT_NEAR(wilson(15, 148).low, 0.0624, 5e-5);
  EXPECT_NEAR(wilson(15, 148).high, 0.1605, 5e-5);
}

TEST(Wilson, OfAllOrNothingIsNotEmpty) {
  const double z2 = kTwoSided95 * kTwoSided95;
  EXPECT_EQ(wilson(0, 20).low, 0);
  EXPECT_NEAR(wilson(0, 20).high, z2 / (20 + z2), 1e-12);
  EXPECT_NEAR(wilson(20, 20).low, 20 / (20 + z2), 1e-12);
  EXPECT_EQ(wilson(20, 20).high, 1);
}

TEST(PercentileInterval, InterpolatesAndLeavesOutWhatIsNoNumber) {
  std::vector<double> values{NAN};
  for (int i = 100; i >= 0; --i) values.push_back(i);
  const Interval interval = percentile_interval(values);
  EXPECT_DOUBLE_EQ(interval.low, 2.5);
  EXPECT_DOUBLE_EQ(interval.high, 97.5);
  EXPECT_TRUE(std::isnan(percentile_interval({NAN}).low));
}

TEST(PairedShareInterval, IsTheClosedForm) {
  // Half a row in each cell: 10.5 and 4.5 of 102.
  const Interval interval = paired_share_interval(10, 4, 100);
  const double centre = 6.0 / 102, half = kTwoSided95 * std::sqrt(15 - 36.0 / 102) / 102;
  EXPECT_NEAR(interval.low, centre - half, 1e-12);
  EXPECT_NEAR(interval.high, centre + half, 1e-12);
  // Rows that all agree say little, not nothing.
  EXPECT_LT(paired_share_interval(0, 0, 50).low, 0);
  EXPECT_GT(paired_share_interval(0, 0, 50).high, 0);
}

TEST(McNemar, IsTheBinomialTest) {
  EXPECT_DOUBLE_EQ(mcnemar_p(0, 0), 1);
  EXPECT_DOUBLE_EQ(mcnemar_p(7, 7), 1);
  EXPECT_NEAR(mcnemar_p(0, 5), 2.0 / 32, 1e-12);
  EXPECT_NEAR(mcnemar_p(6, 1), 2.0 * (1 + 7) / 128, 1e-12);
  EXPECT_NEAR(mcnemar_p(1, 6), mcnemar_p(6, 1), 1e-15);
  EXPECT_LT(mcnemar_p(900, 700), 1e-5) << "large counts do not overflow";
}

TEST(RowsToTell, AreThoseOfThePowerFormula) {
  // A textbook's case: 50 % against 60 %, 80 % power, two-sided 5 %: 388 each (387.3 rounded up).
  EXPECT_EQ(rows_to_tell_shares(0.5, 0.1), 388);
  // By symmetry; and towards the inside where the other way is out of [0, 1].
  EXPECT_EQ(rows_to_tell_shares(0.4, 0.1), 388);
  EXPECT_EQ(rows_to_tell_shares(0.99, 0.02), rows_to_tell_shares(0.97, 0.02));
  // Means: 2 (1.95996 + 0.84162)² σ² / δ² = 15.698 for σ = δ.
  EXPECT_EQ(rows_to_tell_means(4, 2), 16);
  EXPECT_EQ(rows_to_tell_means(4, 0.2), 1570);
}

}  // namespace
}  // namespace hone::eval
