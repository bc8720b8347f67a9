#include <csignal>
#include <limits>
#include <random>
#include <set>

#include "base/interrupt.h"
#include "checkpoint/checkpoints.h"
#include "unit/engine/scripted_run.h"

// Harm that is really done to runs: their losses are multiplied by NaN, infinity or a large number.

namespace hone::engine {
namespace {

using test::ScriptedRun;
using test::ScriptedTrainer;
using Steps = std::vector<std::int64_t>;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// `count` of the steps from 41 to `last`, each with its factor.
std::map<std::int64_t, double> random_harm(std::size_t count, std::int64_t last, unsigned seed) {
  std::mt19937 random(seed);
  const double kinds[] = {kNaN, kInfinity, -kInfinity, 1000};
  std::map<std::int64_t, double> harm;
  while (harm.size() < count)
    harm.emplace(41 + std::int64_t(random() % std::uint64_t(last - 40)), kinds[random() % 4]);
  return harm;
}

Steps steps_of(const std::map<std::int64_t, double>& values) {
  Steps steps;
  for (const auto& [step, value] : values) steps.push_back(step);
  return steps;
}

std::vector<std::string> options(const std::string& action, int max_steps, int save_steps) {
  return {"guard.on_non_finite=" + action,
          "guard.on_spike=" + action,
          "guard.max_in_a_row=100",
          "checkpoint.keep_last=0",
          "train.max_steps=" + std::to_string(max_steps),
          "checkpoint.save_steps=" + std::to_string(save_steps)};
}

TEST(GuardedRun, FindsThreeHundredHarmsEachInItsStep) {
  const auto harm = random_harm(300, 1500, 7);
  ScriptedRun run;
  run.script = [&](ScriptedTrainer& trainer) { trainer.loss_factors = harm; };
  ASSERT_EQ(run.train(options("skip", 1500, 25)), ExitCode::kDone);
  EXPECT_EQ(run.record()["skipped_steps"].get<Steps>(), steps_of(harm));
  EXPECT_EQ(steps_of(run.metric("skipped")), steps_of(harm));
  EXPECT_EQ(run.metric("learning_rate").size(), 1500u) << "a line for every step";
  EXPECT_EQ(run.checkpoints().size(), 60u);
}

// Signals in the middle of steps, harmed ones among them.
void expect_same_bits_when_stopped(const std::string& action) {
  const auto harm = random_harm(40, 200, 3);
  const auto more = options(action, 200, 10);
  ScriptedRun whole, stopped;
  whole.script = [&](ScriptedTrainer& trainer) { trainer.loss_factors = harm; };
  ASSERT_EQ(whole.train(more), ExitCode::kDone);

  std::set<std::int64_t> stops = {1, 44, 95, 151, harm.begin()->first, harm.rbegin()->first};
  stopped.script = [&](ScriptedTrainer& trainer) {
    trainer.loss_factors = harm;
    trainer.after_forward = [&](std::int64_t step) {
      if (stops.erase(step) > 0) std::raise(SIGTERM);
    };
  };
  ExitCode code = ExitCode::kRunAgain;
  for (int runs = 0; code == ExitCode::kRunAgain && runs < 20; ++runs) {
    const InterruptGuard guard;
    code = stopped.train(more, /*resume=*/true);
  }
  ASSERT_EQ(code, ExitCode::kDone);
  EXPECT_TRUE(stops.empty());
  EXPECT_EQ(stopped.product(), whole.product());
  EXPECT_EQ(stopped.metric("loss"), whole.metric("loss"));
  EXPECT_EQ(stopped.metric("rolled_back_to"), whole.metric("rolled_back_to"));
  EXPECT_EQ(stopped.record()["skipped_steps"], whole.record()["skipped_steps"]);
}

TEST(GuardedRun, ThatSkipsEndsWithTheSameBitsWhenStopped) { expect_same_bits_when_stopped("skip"); }

TEST(GuardedRun, ThatRollsBackEndsWithTheSameBitsWhenStopped) {
  expect_same_bits_when_stopped("rollback");
}

TEST(GuardedRun, RollsBackToTheLastScheduledCheckpointAndGoesOnBehindTheStep) {
  ScriptedRun run;
  const std::map<std::int64_t, double> harm = {{5, kNaN}, {30, 1000}, {50, kInfinity}, {51, kNaN}};
  std::map<std::int64_t, double> first_weight;
  run.script = [&](ScriptedTrainer& trainer) {
    trainer.loss_factors = harm;
    trainer.after_forward = [&](std::int64_t step) {
      first_weight[step] =
          trainer.session.trainable.parameters[1].tensor.flatten()[0].item<double>();
    };
  };
  auto more = options("rollback", 60, 10);
  more.push_back("guard.window=16");
  ASSERT_EQ(run.train(more), ExitCode::kDone);
  const std::map<std::int64_t, double> expected = {{5, 0}, {30, 20}, {50, 40}, {51, 50}};
  EXPECT_EQ(run.metric("rolled_back_to"), expected);
  // What the steps after them began with is what the checkpoints' next steps began with; step 50's
  // own checkpoint holds what was rolled back to.
  EXPECT_EQ(first_weight[6], first_weight[1]);
  EXPECT_EQ(first_weight[31], first_weight[21]);
  EXPECT_EQ(first_weight[51], first_weight[41]);
  EXPECT_EQ(first_weight[52], first_weight[41]);
  EXPECT_NE(first_weight[32], first_weight[31]);
  run.checkpoints();
}

// Whatever else lies in the folder that it goes on in.
TEST(GuardedRun, RollsBackToTheCheckpointOfAnotherFolderThatItWentOnFrom) {
  ScriptedRun first;
  ASSERT_EQ(first.train(options("rollback", 10, 10)), ExitCode::kDone);
  const std::string from = checkpoint::folder_of_step(first.output(), 10).string();
  for (const bool is_empty : {true, false}) {
    ScriptedRun second;
    if (!is_empty) {
      ASSERT_EQ(second.train(options("rollback", 5, 5)), ExitCode::kDone);
    }
    second.script = [](ScriptedTrainer& trainer) {
      trainer.loss_factors = {{13, kNaN}, {17, kNaN}};
    };
    ASSERT_EQ(second.train(options("rollback", 20, 15), /*resume=*/true, from), ExitCode::kDone);
    EXPECT_EQ(second.metric("rolled_back_to"),
              (std::map<std::int64_t, double>{{13, 10}, {17, 15}}));
  }
}

TEST(GuardedRun, RetentionLeavesWhatARollbackNeeds) {
  ScriptedRun run;
  run.script = [](ScriptedTrainer& trainer) {
    trainer.loss_factors = {{19, kNaN}};
    trainer.measure = [](std::int64_t step) {  // better each time, and saved each time
      return report::Metrics{{"eval_loss", -double(step)}};
    };
  };
  auto more = options("rollback", 20, 10);
  more.insert(more.end(),
              {"checkpoint.keep_last=1", "checkpoint.keep_best=true", "eval.eval_steps=1"});
  ASSERT_EQ(run.train(more), ExitCode::kDone);
  EXPECT_EQ(run.metric("rolled_back_to"), (std::map<std::int64_t, double>{{19, 10}}));
}

TEST(GuardedRun, StopLeavesTheLastCheckpointToGoOnFrom) {
  for (const double factor : {kNaN, kInfinity, 1e4}) {
    ScriptedRun run;
    run.script = [&](ScriptedTrainer& trainer) { trainer.loss_factors = {{37, factor}}; };
    const auto more = options("stop", 60, 10);
    const std::string message = test::message_of<Error>([&] { run.train(more); });
    EXPECT_TRUE(test::contains(message, "step 37"));
    EXPECT_EQ(run.checkpoints(), (Steps{10, 20, 30}));
    EXPECT_EQ(run.record()["status"], "failed");
    run.script = [](ScriptedTrainer&) {};
    EXPECT_EQ(run.train(more, /*resume=*/true), ExitCode::kDone);
  }
}

// An update that overflows leaves no trace in the step's loss and gradient.
void poison(ScriptedTrainer& trainer, std::int64_t at) {
  trainer.after_step = [&trainer, at](std::int64_t step) {
    if (step != at) return;
    const torch::NoGradGuard no_grad;
    trainer.session.trainable.parameters.back().tensor.flatten()[0] = kInfinity;
  };
}

TEST(GuardedRun, NeverSavesWhatHasBecomeInfinite) {
  ScriptedRun run;
  run.script = [](ScriptedTrainer& trainer) { poison(trainer, 20); };
  const std::string message = test::message_of<Error>([&] { run.train(options("stop", 40, 10)); });
  EXPECT_TRUE(test::contains(message, "step 20"));
  EXPECT_TRUE(test::contains(message, "lora_B"));
  EXPECT_EQ(run.checkpoints(), (Steps{10}));
}

TEST(GuardedRun, RollsBackFromWeightsThatHaveBecomeInfinite) {
  for (const std::int64_t at :
       {20, 25}) {  // found where it would be saved; in the next step's loss
    ScriptedRun run;
    run.script = [&](ScriptedTrainer& trainer) { poison(trainer, at); };
    ASSERT_EQ(run.train(options("rollback", 40, 10)), ExitCode::kDone);
    EXPECT_EQ(run.checkpoints(), (Steps{0, 10, 20, 30, 40}));
  }
}

}  // namespace
}  // namespace hone::engine
