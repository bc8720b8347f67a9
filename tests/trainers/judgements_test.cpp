#include "trainers/reward/judgements.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace hone::reward {
namespace {

std::map<std::string, double> by_name(const report::Metrics& metrics) {
  std::map<std::string, double> values;
  for (const auto& [name, value] : metrics) values[name] = std::get<double>(value);
  return values;
}

TEST(Judgements, CalibrationIsTheGapBetweenConfidenceAndOutcome) {
  // Two bins: 0.95 sure and right in 3 of 4 (gap 0.2), 0.55 sure and right in 1 of 2 (gap 0.05).
  EXPECT_NEAR(calibration_error({0.95, 0.95, 0.95, 0.95, 0.55, 0.55},
                                {true, true, true, false, true, false}),
              (4 * 0.2 + 2 * 0.05) / 6, 1e-12);
  EXPECT_NEAR(calibration_error({1.0, 1.0}, {true, true}), 0, 1e-12);
}

TEST(Judgements, CorrelationIsPearsons) {
  EXPECT_NEAR(correlation({1, 2, 3}, {2, 4, 6}), 1, 1e-12);
  EXPECT_NEAR(correlation({1, 2, 3}, {6, 4, 2}), -1, 1e-12);
  EXPECT_NEAR(correlation({1, 2, 3, 4}, {1, 3, 2, 4}), 0.8, 1e-12);
  EXPECT_EQ(correlation({1, 1}, {2, 3}), 0);
}

TEST(Judgements, PairsCountWhatWonAndWhatLengthSays) {
  Judgements pairs;
  pairs.outputs = {2, 1, 0, 3, 5, 1};  // margins 1, −3, 4
  pairs.values = {0, 0, 0};
  pairs.lengths = {10, 8, 4, 7, 9, 12};  // the chosen answer is longer by 2, −3, −3
  const auto values = by_name(pair_evaluation(pairs));
  EXPECT_NEAR(values.at("accuracy"), 2.0 / 3, 1e-12);
  EXPECT_NEAR(values.at("margin"), 2.0 / 3, 1e-12);
  EXPECT_NEAR(values.at("mean_reward"), 2, 1e-12);
  EXPECT_EQ(values.at("min_reward"), 0);
  EXPECT_EQ(values.at("max_reward"), 5);
  EXPECT_NEAR(values.at("longer_is_chosen"), 1.0 / 3, 1e-12);
  EXPECT_NEAR(values.at("length_correlation"),
              (1 * 2 + 3 * 3 - 4 * 3) / std::sqrt((1 + 9 + 16) * (4.0 + 9 + 9)), 1e-12);
}

// A length that follows the reward exactly does so whichever answer of a pair is the chosen one.
TEST(Judgements, LengthThatIsTheRewardCorrelatesWhollyWithIt) {
  Judgements pairs;
  pairs.outputs = {1, 2, 5, 3, 4, 8};
  pairs.lengths = {10, 20, 50, 30, 40, 80};
  pairs.values = {0, 0, 0};
  EXPECT_NEAR(by_name(pair_evaluation(pairs)).at("length_correlation"), 1, 1e-12);
}

TEST(Judgements, StepsAreRightOnTheSideOfTheirLabel) {
  Judgements steps;
  steps.outputs = {2, -1, 3, -4};
  steps.values = {1, 1, 0, 0};
  EXPECT_NEAR(by_name(step_metrics(steps)).at("accuracy"), 0.5, 1e-12);
}

}  // namespace
}  // namespace hone::reward
