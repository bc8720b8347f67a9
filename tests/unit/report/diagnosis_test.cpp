#include "report/diagnosis.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "base/philox.h"

namespace hone::report {
namespace {

/// A run of 400 steps with a loss as given and some noise on it, and an evaluation every 50.
RunHistory run_with(const std::function<double(double)>& loss,
                    const std::function<double(double)>& eval_loss = {}) {
  RunHistory run;
  const Philox random(5);
  for (int step = 1; step <= 400; ++step) {
    const double t = step / 400.0;
    const double noise = Philox::uniform(random(std::uint64_t(step), 0).w[0]) - 0.5;
    run.curves["loss"].push_back({step, loss(t) * (1 + 0.02 * noise)});
    run.curves["learning_rate"].push_back({step, step <= 20 ? step / 20.0 : 1 - t});
    if (eval_loss && step % 50 == 0) run.curves["eval_loss"].push_back({step, eval_loss(t)});
  }
  return run;
}

std::string names(const RunHistory& run) {
  std::string all;
  for (const Diagnosis& one : diagnose(run)) all += std::string(one.name) + " ";
  return all;
}

double well(double t) { return 0.5 + 2 * std::exp(-8 * t); }

TEST(Diagnosis, HasNothingToSayOfAGoodRun) {
  EXPECT_EQ(names(run_with(well, well)), "");
  EXPECT_EQ(names(RunHistory{}), "");
}

TEST(Diagnosis, SeesALossThatGoesUpAndDown) {
  EXPECT_EQ(names(run_with([](double t) { return 2 + 0.6 * std::sin(40 * t); })), "fluctuating ");
}

TEST(Diagnosis, SeesALossThatHardlyFalls) {
  EXPECT_EQ(names(run_with([](double t) { return 2 - 0.01 * t; })), "underfitting ");
}

TEST(Diagnosis, SeesALossThatIsStillOnItsWay) {
  EXPECT_EQ(names(run_with([](double t) { return 3 - 1.5 * t; })), "slow ");
}

TEST(Diagnosis, SeesAnEvaluationThatTurnsUp) {
  EXPECT_EQ(names(run_with(well, [](double t) { return 1 + (t - 0.4) * (t - 0.4); })),
            "overfitting ");
}

TEST(Diagnosis, DoesNotCountTheWarmUp) {
  // Rises until step 20 and falls from there.
  EXPECT_EQ(names(run_with([](double t) { return t < 0.05 ? 1 + 40 * t : well(t); })), "");
}

TEST(Diagnosis, SaysNothingOfAShortRun) {
  RunHistory run;
  for (int step = 1; step < int(kLeastSteps); ++step)
    run.curves["loss"].push_back({step, step % 2 ? 1.0 : 5.0});
  EXPECT_EQ(names(run), "");
}

}  // namespace
}  // namespace hone::report
