#include "engine/guard.h"

#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/philox.h"
#include "config/load.h"
#include "support/support.h"

namespace hone::engine {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

GuardOptions options_with(const std::string& on_non_finite, const std::string& on_spike) {
  GuardOptions options = config::defaults<GuardOptions>();
  options.on_non_finite = on_non_finite;
  options.on_spike = on_spike;
  return options;
}

/// A standard normal number. @source Box and Muller
double normal(std::uint64_t i) {
  const auto words = Philox(11)(i, 0);
  const double u = 1.0 - double(Philox::uniform(words.w[0]));
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * double(Philox::uniform(words.w[1])));
}

/// The loss of a run that learns: it falls, and its noise is log-normal.
double learning_loss(std::int64_t step) {
  return (0.5 + 2 * std::exp(-double(step) / 200)) *
         std::exp(0.15 * normal(static_cast<std::uint64_t>(step)));
}

double learning_norm(std::int64_t step) {
  return 0.8 * std::exp(0.4 * normal(static_cast<std::uint64_t>(step) + 1000000));
}

TEST(RobustZScore, IsTheDistanceFromTheMedianInScaledMads) {
  // Median 3, absolute deviations 2 1 0 1 97: their median is 1.
  EXPECT_DOUBLE_EQ(robust_z_score(10, {1, 2, 3, 4, 100}), 7 / 1.4826);
  // Median 2.5, deviations 1.5 0.5 0.5 1.5: their median is 1.
  EXPECT_DOUBLE_EQ(robust_z_score(1, {4, 1, 3, 2}), -1.5 / 1.4826);
}

TEST(RobustZScore, OfValuesThatDoNotVaryTakesAShareOfTheirSize) {
  EXPECT_DOUBLE_EQ(robust_z_score(3, {2, 2, 2, 2}), 10);
  EXPECT_DOUBLE_EQ(robust_z_score(3, {0, 0, 0}), 0);
}

TEST(Guard, UsesEveryStepOfARunThatLearns) {
  Guard guard(options_with("stop", "stop"));
  for (std::int64_t step = 1; step <= 5000; ++step)
    ASSERT_EQ(guard.judge(step, learning_loss(step), learning_norm(step)), Verdict::kUpdate);
  EXPECT_TRUE(guard.skipped().empty());
}

TEST(Guard, StopNamesTheStepWhatWasFoundAndWhatMayHelp) {
  for (const auto& [loss, norm] : {std::pair{kNaN, 1.0}, {1.0, kInfinity}, {-kInfinity, 1.0}}) {
    Guard guard(options_with("stop", "stop"));
    EXPECT_EQ(guard.judge(6, 1.0, 1.0), Verdict::kUpdate);
    const std::string message =
        test::message_of<Error>([&, l = loss, n = norm] { guard.judge(7, l, n); });
    for (const char* part : {"step 7", "learning_rate", "guard.on_non_finite"})
      EXPECT_TRUE(test::contains(message, part));
  }
}

TEST(Guard, ASpikeOfEitherIsFoundInItsStepAndDoesNotRaiseTheBar) {
  Guard guard(options_with("stop", "skip"));
  for (std::int64_t step = 1; step <= 2000; ++step) {
    const bool of_loss = step > 100 && step % 97 == 0, of_norm = step > 100 && step % 89 == 0;
    const Verdict verdict = guard.judge(step, learning_loss(step) * (of_loss ? 8 : 1),
                                        learning_norm(step) * (of_norm ? 30 : 1));
    ASSERT_EQ(verdict, of_loss || of_norm ? Verdict::kSkip : Verdict::kUpdate) << "step " << step;
  }
}

TEST(Guard, LooksForSpikesOnlyOnceEnoughStepsAreKnown) {
  Guard guard(options_with("stop", "stop"));
  for (std::int64_t step = 1; step <= 15; ++step) guard.judge(step, 1, 1);
  EXPECT_EQ(guard.judge(16, 1000, 1), Verdict::kUpdate);
  EXPECT_THROW(guard.judge(17, 1000, 1), Error);
}

TEST(Guard, ReportedSpikesAreUsedAndIgnoredOnesNotEvenSeen) {
  for (const char* action : {"report", "ignore"}) {
    Guard guard(options_with("stop", action));
    for (std::int64_t step = 1; step <= 50; ++step) guard.judge(step, 1, 1);
    EXPECT_EQ(guard.judge(51, 9, 1), Verdict::kUpdate);
    EXPECT_EQ(guard.last_zscore(), std::string(action) == "report" ? 160 : 0);
    EXPECT_TRUE(guard.skipped().empty());
  }
}

TEST(Guard, EachKindHasItsOwnAction) {
  Guard guard(options_with("rollback", "skip"));
  for (std::int64_t step = 1; step <= 50; ++step) guard.judge(step, 1, 1);
  EXPECT_EQ(guard.judge(51, 9, 1), Verdict::kSkip);
  EXPECT_EQ(guard.judge(52, kNaN, 1), Verdict::kRollBack);
  EXPECT_EQ(guard.skipped(), (std::vector<std::int64_t>{51, 52}));
}

TEST(Guard, TooManyHarmfulStepsRunningEndTheRun) {
  GuardOptions options = options_with("skip", "skip");
  options.max_in_a_row = 3;
  Guard guard(options);
  for (int round = 0; round < 2; ++round) {
    for (std::int64_t step = 1; step <= 3; ++step)
      EXPECT_EQ(guard.judge(step, kNaN, 1), Verdict::kSkip);
    guard.judge(4, 1, 1);
  }
  for (std::int64_t step = 1; step <= 3; ++step) guard.judge(step, kNaN, 1);
  const std::string message = test::message_of<Error>([&] { guard.judge(4, kNaN, 1); });
  EXPECT_TRUE(test::contains(message, "3 harmful steps running"));
}

TEST(Guard, JudgesFromItsStateAsIfItHadNeverStopped) {
  const auto loss = [](std::int64_t step) {
    return step % 50 == 0 ? kNaN : learning_loss(step) * (step % 71 == 0 ? 20 : 1);
  };
  const GuardOptions options = options_with("skip", "skip");
  Guard whole(options);
  for (std::int64_t step = 1; step <= 400; ++step) {
    Guard resumed(options);
    // Through text, as a checkpoint keeps it.
    resumed.restore(nlohmann::json::parse(whole.state().dump()));
    const Verdict verdict = whole.judge(step, loss(step), learning_norm(step));
    ASSERT_EQ(resumed.judge(step, loss(step), learning_norm(step)), verdict);
    ASSERT_EQ(resumed.last_zscore(), whole.last_zscore());
    ASSERT_EQ(resumed.state(), whole.state());
  }
  EXPECT_GT(whole.skipped().size(), 10u);
}

}  // namespace
}  // namespace hone::engine
