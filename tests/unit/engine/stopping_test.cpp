#include "engine/stopping.h"

#include <algorithm>
#include <csignal>
#include <limits>

#include "base/interrupt.h"
#include "checkpoint/checkpoints.h"
#include "config/load.h"
#include "io/safetensors.h"
#include "unit/engine/scripted_run.h"

namespace hone::engine {
namespace {

using test::ScriptedRun;
using test::ScriptedTrainer;
using Steps = std::vector<std::int64_t>;

eval::EvalOptions options_for(const std::string& metric) {
  eval::EvalOptions options = config::defaults<eval::EvalOptions>();
  options.metric_for_best_model = metric;
  return options;
}

/// After which of the values patience has run out, counted from 1; 0: after none.
std::size_t stops_after(const eval::EvalOptions& options, const std::vector<double>& values) {
  Stopping stopping(options, true);
  for (std::size_t i = 0; i < values.size(); ++i) {
    stopping.note(std::int64_t(i), {{"eval_loss", values[i]}});
    if (stopping.is_due()) return i + 1;
  }
  return 0;
}

// What transformers 5.23's EarlyStoppingCallback does with these, step by step.
TEST(Stopping, CountsPatienceAsTransformersDoes) {
  eval::EvalOptions options = options_for("loss");
  EXPECT_EQ(stops_after(options, {3, 4, 5, 6, 7}), 0u) << "patience 0 is off";
  options.early_stopping_patience = 2;
  EXPECT_EQ(stops_after(options, {3, 4, 5, 1}), 3u);
  EXPECT_EQ(stops_after(options, {3, 4, 2, 2, 3}), 5u) << "an equal value is no gain";
  EXPECT_EQ(stops_after(options, {3, 4, 2.9, 4, 2.8, 4, 2.7}), 0u);
  options.early_stopping_threshold = 0.5;
  // The best moves with every gain, so that small steps never add up to one that counts.
  EXPECT_EQ(stops_after(options, {3, 2.8, 2.6, 2.4}), 3u);
  EXPECT_EQ(stops_after(options, {3, 2.8, 2.2, 2.1, 2.0}), 5u);
}

TEST(Stopping, KnowsWhichWayAMetricWantsToGo) {
  const auto best_of = [](const eval::EvalOptions& options, const std::string& name) {
    Stopping stopping(options, true);
    stopping.note(1, {{name, 2.0}});
    stopping.note(2, {{name, 3.0}});
    stopping.note(3, {{name, 1.0}});
    return stopping.best_step();
  };
  EXPECT_EQ(best_of(options_for("loss"), "eval_loss"), 3);
  EXPECT_EQ(best_of(options_for("eval_perplexity"), "eval_perplexity"), 3);
  EXPECT_EQ(best_of(options_for("eval_mine/exact_match"), "eval_mine/exact_match"), 2);
  EXPECT_EQ(best_of(options_for("mine/perplexity"), "eval_mine/perplexity"), 3);
  EXPECT_EQ(best_of(options_for("rewards/margins"), "eval_rewards/margins"), 2);
  eval::EvalOptions options = options_for("loss");
  options.greater_is_better = true;
  EXPECT_EQ(best_of(options, "eval_loss"), 2);
}

TEST(Stopping, NaNIsNeverTheBest) {
  Stopping stopping(options_for("loss"), true);
  EXPECT_FALSE(stopping.note(1, {{"eval_loss", std::numeric_limits<double>::quiet_NaN()}}));
  EXPECT_TRUE(stopping.note(2, {{"eval_loss", 5.0}}));
  EXPECT_FALSE(stopping.note(3, {{"eval_loss", std::numeric_limits<double>::quiet_NaN()}}));
  EXPECT_EQ(stopping.best_step(), 2);
}

TEST(Stopping, AMetricThatIsNotMeasuredIsRefusedByName) {
  Stopping stopping(options_for("accuracy"), true);
  const std::string message = test::message_of<ConfigError>([&] {
    stopping.note(1, {{"eval_loss", 5.0}});
  });
  EXPECT_TRUE(test::contains(message, "no eval_accuracy"));
  EXPECT_TRUE(test::contains(message, "it has eval_loss"));
  EXPECT_FALSE(Stopping(options_for("accuracy"), false).note(1, {{"eval_loss", 5.0}}));
}

/// Evaluations of step 2, 4, 6, ...
std::function<void(ScriptedTrainer&)> measures(const std::vector<double>& losses) {
  return [losses](ScriptedTrainer& trainer) {
    trainer.measure = [losses](std::int64_t step) {
      return report::Metrics{{"eval_loss", losses.at(std::size_t(step / 2 - 1))}};
    };
  };
}

const std::vector<std::string> kBest = {"eval.eval_steps=2", "eval.early_stopping_patience=3",
                                        "checkpoint.keep_last=1", "checkpoint.save_steps=0",
                                        "checkpoint.load_best_model_at_end=true"};

/// Whether the product is what the checkpoint of a step holds, tensor by tensor.
bool is_product_of(const ScriptedRun& run, std::int64_t step) {
  const io::SafetensorsFile product(run.output() / "adapter" / "adapter_model.safetensors");
  const io::SafetensorsFile saved(checkpoint::folder_of_step(run.output(), step) /
                                  "trainable.safetensors");
  EXPECT_EQ(saved.tensors().size(), product.tensors().size());
  return std::ranges::all_of(saved.tensors(), [&](const io::TensorView& view) {
    const io::TensorView* twin = product.find(view.name);
    return twin != nullptr && std::equal(view.data, view.data + view.size_bytes, twin->data);
  });
}

TEST(EarlyStopping, EndsTheRunAndItsProductIsTheBestModel) {
  ScriptedRun run, last;
  run.script = measures({9, 8, 5, 6, 7, 5, 1, 1, 1, 1});
  ASSERT_EQ(run.train(kBest), ExitCode::kDone);
  EXPECT_EQ(run.record()["steps"], 12);
  EXPECT_EQ(run.record()["stopped_early"], true);
  EXPECT_EQ(run.record()["best"]["step"], 6);
  EXPECT_EQ(run.record()["best"]["value"], 5);
  EXPECT_EQ(run.checkpoints(), (Steps{6, 12}));
  EXPECT_TRUE(is_product_of(run, 6));

  last.script = run.script;
  auto more = kBest;
  more.back() = "checkpoint.keep_best=true";
  ASSERT_EQ(last.train(more), ExitCode::kDone);
  EXPECT_TRUE(is_product_of(last, 12));
  EXPECT_FALSE(is_product_of(last, 6));
}

TEST(EarlyStopping, IsExactWhenTheRunIsStoppedAnywhere) {
  const std::vector<double> losses = {9, 8, 5, 6, 7, 5, 1, 1, 1, 1};
  ScriptedRun whole;
  whole.script = measures(losses);
  ASSERT_EQ(whole.train(kBest), ExitCode::kDone);
  for (std::int64_t stop = 1; stop <= 12; ++stop) {
    for (const bool in_evaluation : {false, true}) {
      if (in_evaluation && stop % 2 == 1) continue;
      ScriptedRun run;
      bool has_stopped = false;
      run.script = [&](ScriptedTrainer& trainer) {
        measures(losses)(trainer);
        const auto interrupt = [&](std::int64_t step) {
          if (step == stop && !std::exchange(has_stopped, true)) std::raise(SIGUSR1);
        };
        if (!in_evaluation) {
          trainer.after_forward = interrupt;
          return;
        }
        trainer.measure = [interrupt, measure = trainer.measure](std::int64_t step) {
          interrupt(step);
          leave_if_interrupted();
          return measure(step);
        };
      };
      {
        const InterruptGuard guard;
        ASSERT_EQ(run.train(kBest), ExitCode::kRunAgain);
      }
      ASSERT_EQ(run.train(kBest, /*resume=*/true), ExitCode::kDone);
      EXPECT_EQ(run.product(), whole.product()) << stop;
      EXPECT_EQ(run.metric("eval_loss"), whole.metric("eval_loss")) << stop;
      EXPECT_EQ(run.record()["best"], whole.record()["best"]) << stop;
      EXPECT_EQ(run.record()["steps"], 12);
    }
  }
}

TEST(EarlyStopping, ARunThatHasStoppedStaysSo) {
  ScriptedRun run;
  run.script = measures({9, 8, 5, 6, 7, 5, 1, 1, 1, 1});
  ASSERT_EQ(run.train(kBest), ExitCode::kDone);
  const std::string product = run.product();
  ASSERT_EQ(run.train(kBest, /*resume=*/true), ExitCode::kDone);
  EXPECT_EQ(run.record()["steps"], 12);
  EXPECT_EQ(run.product(), product);
}

TEST(Evaluation, ByPartsOfAnEpoch) {
  ScriptedRun run;
  run.script = [](ScriptedTrainer& trainer) {
    trainer.measure = [](std::int64_t) { return report::Metrics{{"eval_loss", 1.0}}; };
  };
  ASSERT_EQ(run.train({"train.max_steps=0", "train.num_train_epochs=3", "eval.eval_epochs=0.5"}),
            ExitCode::kDone);
  const auto epochs = run.metric("epoch");
  Steps expected;
  double next = 0.5;
  for (const auto& [step, epoch] : epochs) {
    if (epoch < next - 1e-9) continue;
    expected.push_back(step);
    while (next <= epoch + 1e-9) next += 0.5;
  }
  Steps found;
  for (const auto& [step, loss] : run.metric("eval_loss")) found.push_back(step);
  EXPECT_EQ(found, expected);
  EXPECT_EQ(found.size(), 6u);
}

TEST(Retention, KeepsTheLastTheBestAndTheMultiples) {
  ScriptedRun run;
  run.script = measures({9, 8, 7, 1, 6, 6, 6, 6, 6, 6});
  ASSERT_EQ(run.train({"eval.eval_steps=2", "checkpoint.keep_last=2", "checkpoint.save_steps=1",
                       "checkpoint.keep_every=5", "checkpoint.keep_best=true"}),
            ExitCode::kDone);
  EXPECT_EQ(run.checkpoints(), (Steps{5, 8, 10, 15, 19, 20}));
}

TEST(RunOptions, WhatEvaluationsDecideNeedsSome) {
  const auto refused = [](const std::string& sections) {
    const std::string text = "model: {base: x}\ndata: {train: CMakeLists.txt}\n" + sections;
    return test::message_of<ConfigError>([&] { config::parse<RunOptions>(text, "c.yaml"); });
  };
  EXPECT_TRUE(test::contains(refused("eval: {early_stopping_patience: 2}\n"),
                             "eval.early_stopping_patience"));
  EXPECT_TRUE(test::contains(refused("checkpoint: {load_best_model_at_end: true}\n"),
                             "checkpoint.load_best_model_at_end"));
  EXPECT_TRUE(
      test::contains(refused("checkpoint: {save_steps: 0}\nguard: {on_non_finite: rollback}\n"),
                     "checkpoint.save_steps"));
}

}  // namespace
}  // namespace hone::engine
