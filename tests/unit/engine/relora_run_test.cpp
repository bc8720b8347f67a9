#include <csignal>
#include <limits>

#include "base/interrupt.h"
#include "io/safetensors.h"
#include "model/weights.h"
#include "unit/engine/scripted_run.h"

// ReLoRA in whole runs: restarts every six of twenty steps.

namespace hone::engine {
namespace {

using test::ScriptedRun;
using test::ScriptedTrainer;

class ReloraRun : public testing::TestWithParam<const char*> {
 protected:
  static constexpr const char* kAdapter =
      "{method: lora, r: 4, lora_dropout: 0.1, relora_steps: 6, relora_warmup_steps: 2, "
      "relora_anneal_steps: 1}";
  static std::vector<std::string> options(const std::string& base) {
    return {"model.quantization=" + base, "checkpoint.save_steps=5", "checkpoint.keep_last=0",
            "optim.learning_rate=1e-2"};
  }
  /// Interrupts in a step, before its update.
  static void stop(ScriptedTrainer& trainer, std::int64_t at) {
    trainer.after_forward = [at](std::int64_t step) {
      if (step == at) std::raise(SIGTERM);
    };
  }
};

// Step 13 begins with a restart: a signal then finds the adapter merged and its step not taken.
TEST_P(ReloraRun, GoesOnToTheBitWhereverItStops) {
  ScriptedRun through;
  through.adapter = kAdapter;
  ASSERT_EQ(through.train(options(GetParam())), ExitCode::kDone);
  for (const std::int64_t at : {4, 7, 13}) {
    ScriptedRun stopped;
    stopped.adapter = kAdapter;
    stopped.script = [at](ScriptedTrainer& trainer) { stop(trainer, at); };
    {
      const InterruptGuard guard;
      ASSERT_EQ(stopped.train(options(GetParam())), ExitCode::kRunAgain) << at;
    }
    stopped.script = [](ScriptedTrainer&) {};
    ASSERT_EQ(stopped.train(options(GetParam()), /*resume=*/true), ExitCode::kDone);
    EXPECT_TRUE(stopped.product() == through.product()) << at;
  }
}

// The loss of step 8 is made NaN: the run goes back to step 5, before the restart of step 7, which
// step 9 then begins with.
TEST_P(ReloraRun, ARollbackTakesTheMergeBack) {
  ScriptedRun run;
  run.adapter = kAdapter;
  std::map<std::int64_t, std::int64_t> restarts;
  run.script = [&](ScriptedTrainer& trainer) {
    trainer.loss_factors = {{8, std::numeric_limits<double>::quiet_NaN()}};
    trainer.after_step = [&](std::int64_t step) {
      restarts[step] = trainer.session.trainable.relora->done();
    };
    trainer.after_forward = [&](std::int64_t step) {
      if (step != 9) return;
      EXPECT_EQ(trainer.session.trainable.relora->done(), 1);
    };
  };
  std::vector<std::string> more = options(GetParam());
  more.push_back("guard.on_non_finite=rollback");
  ASSERT_EQ(run.train(more), ExitCode::kDone);
  EXPECT_EQ(restarts[6], 0);
  EXPECT_EQ(restarts[7], 1);
  EXPECT_EQ(restarts[13], 2);
  EXPECT_EQ(restarts[20], 3);
  EXPECT_EQ(run.metric("rolled_back_to").at(8), 5);
}

INSTANTIATE_TEST_SUITE_P(Bases, ReloraRun, testing::Values("none", "nf4"),
                         [](const auto& one) { return std::string(one.param); });

// The sum of the updates has more than the rank of one.
TEST(ReloraProduct, IsTheModelWithAllUpdatesInIt) {
  ScriptedRun run;
  run.adapter =
      "{method: lora, r: 2, target_modules: [q_proj], relora_steps: 10, relora_warmup_steps: 1}";
  ASSERT_EQ(run.train({"optim.learning_rate=1e-2"}), ExitCode::kDone);
  EXPECT_FALSE(std::filesystem::exists(run.output() / "adapter"));
  const io::SafetensorsFile before(test::fixture("train/_base/model.safetensors")),
      after(run.output() / "model" / "model.safetensors");
  for (const io::TensorView& view : before.tensors()) {
    const torch::Tensor change = model::to_tensor(*after.find(view.name)).to(torch::kFloat64) -
                                 model::to_tensor(view).to(torch::kFloat64);
    if (view.name.find("q_proj") == std::string::npos) {
      EXPECT_EQ(change.count_nonzero().item<int>(), 0) << view.name;
    } else {
      const torch::Tensor s = torch::linalg_svdvals(change);
      EXPECT_GT(s[3].item<double>(), 1e-3 * s[0].item<double>()) << view.name;
      EXPECT_LT(s[4].item<double>(), 1e-4 * s[0].item<double>()) << view.name;
    }
  }
}

TEST(ReloraSchedule, FallsAndRisesAroundARestart) {
  ScriptedRun run;
  run.adapter =
      "{method: lora, r: 2, relora_steps: 6, relora_warmup_steps: 2, relora_anneal_steps: 2}";
  ASSERT_EQ(run.train({"optim.learning_rate=1e-3", "schedule.lr_scheduler_type=constant"}),
            ExitCode::kDone);
  const auto rates = run.metric("learning_rate");
  const double half = 1e-3 * (0.001 + 0.999 / 2);
  EXPECT_DOUBLE_EQ(rates.at(5), 1e-3);
  EXPECT_DOUBLE_EQ(rates.at(6), half) << "one step before the restart";
  EXPECT_DOUBLE_EQ(rates.at(7), 1e-6);
  EXPECT_DOUBLE_EQ(rates.at(8), half);
  EXPECT_DOUBLE_EQ(rates.at(9), 1e-3);
}

TEST(ReloraOptimizer, ForgetsTheShareThatItIsTold) {
  ScriptedRun run;
  run.adapter = "{method: lora, r: 4, relora_steps: 10, relora_prune_ratio: 0.75}";
  double zeros = 0, numbers = 0;
  run.script = [&](ScriptedTrainer& trainer) {
    trainer.after_forward = [&](std::int64_t step) {
      if (step != 11) return;
      for (const auto& [name, tensor] : trainer.session.optimizer.state()) {
        zeros += double(tensor.numel() - tensor.count_nonzero().item<std::int64_t>());
        numbers += double(tensor.numel());
      }
    };
  };
  ASSERT_EQ(run.train({"optim.name=adamw"}), ExitCode::kDone);
  EXPECT_NEAR(zeros / numbers, 0.75, 0.01);
}

TEST(ReloraOptimizer, OfAnotherFormIsRefused) {
  ScriptedRun run;
  run.adapter = "{method: lora, r: 4, relora_steps: 10}";
  EXPECT_TRUE(test::contains(
      test::message_of<ConfigError>([&] { run.train({"optim.ema_decay=0.9"}); }), "ema_decay"));
}

}  // namespace
}  // namespace hone::engine
