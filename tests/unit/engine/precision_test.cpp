#include <csignal>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "base/interrupt.h"
#include "config/load.h"
#include "engine/memory_watch.h"
#include "model/load.h"
#include "model/weights.h"
#include "optim/backward_steps.h"
#include "unit/engine/scripted_run.h"

// Runs in fp16, in bf16 without masters, and with updates inside the backward pass.

namespace hone::engine {
namespace {

using test::ScriptedRun;
using test::ScriptedTrainer;
using torch::Tensor;
using Steps = std::vector<std::int64_t>;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<std::string> with(std::vector<std::string> options,
                              const std::vector<std::string>& more) {
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

const std::vector<std::string> kFp16 = {"train.precision=fp16", "model.dtype=fp32",
                                        "checkpoint.save_steps=5", "checkpoint.keep_last=0"};
const std::vector<std::string> kPure = {"train.precision=pure_bf16", "checkpoint.save_steps=5",
                                        "checkpoint.keep_last=0"};
const std::vector<std::string> kEarly = {"optim.step_in_backward=true", "train.max_grad_norm=0",
                                         "train.max_grad_value=0.5", "checkpoint.save_steps=5",
                                         "checkpoint.keep_last=0"};

TEST(Fp16Run, LearnsAsFp32Does) {
  for (const char* adapter : {"{method: lora, r: 4}", "{method: full}"}) {
    ScriptedRun half, single;
    half.adapter = single.adapter = adapter;
    ASSERT_EQ(half.train(kFp16), ExitCode::kDone);
    ASSERT_EQ(single.train({}), ExitCode::kDone);
    const auto got = half.metric("loss"), expected = single.metric("loss");
    ASSERT_EQ(got.size(), 20u);
    // Roundings to 2^-11 of numbers around 1, here and there over twenty steps.
    for (const auto& [step, loss] : expected) EXPECT_NEAR(got.at(step), loss, 4e-3) << step;
    EXPECT_NE(got.at(1), expected.at(1));
    EXPECT_LT(got.at(20), got.at(1));
    EXPECT_EQ(half.metric("loss_scale").at(1), 65536);
    EXPECT_TRUE(single.metric("loss_scale").empty());
  }
}

// A finite loss whose scaled gradient is beyond fp16: no harm for the guard, which is told to stop.
TEST(Fp16Run, PassesOverAnOverflowAndHalvesTheScale) {
  ScriptedRun run;
  run.script = [](ScriptedTrainer& trainer) { trainer.loss_factors = {{7, 1e7}, {12, 1e7}}; };
  ASSERT_EQ(run.train(with(kFp16, {"guard.on_non_finite=stop", "guard.on_spike=stop"})),
            ExitCode::kDone);
  EXPECT_EQ(run.metric("overflow"), (std::map<std::int64_t, double>{{7, 1}, {12, 1}}));
  const auto scale = run.metric("loss_scale");
  EXPECT_EQ(scale.at(7), 65536);
  EXPECT_EQ(scale.at(8), 32768);
  EXPECT_EQ(scale.at(20), 16384);
  EXPECT_TRUE(run.record()["skipped_steps"].empty());
  EXPECT_EQ(run.record()["loss_scale"]["overflowed_steps"].get<Steps>(), (Steps{7, 12}));
  EXPECT_EQ(run.record()["loss_scale"]["factor"], 16384);
  EXPECT_EQ(run.checkpoints().size(), 4u);
}

TEST(Fp16Run, LeavesALossThatIsNoNumberToTheGuard) {
  ScriptedRun run;
  run.script = [](ScriptedTrainer& trainer) { trainer.loss_factors = {{7, kNaN}}; };
  ASSERT_EQ(run.train(with(kFp16, {"guard.on_non_finite=skip"})), ExitCode::kDone);
  EXPECT_EQ(run.record()["skipped_steps"].get<Steps>(), (Steps{7}));
  EXPECT_EQ(run.metric("loss_scale").at(20), 65536);
}

TEST(Fp16Run, StopsWhereNoScaleHelps) {
  ScriptedRun run;
  run.script = [](ScriptedTrainer& trainer) {
    for (std::int64_t step = 2; step <= 20; ++step) trainer.loss_factors[step] = 1e25;
  };
  const std::string message =
      test::message_of<Error>([&] { run.train(with(kFp16, {"guard.on_non_finite=skip"})); });
  EXPECT_TRUE(test::contains(message, "step 18"));  // the seventeenth overflow
  EXPECT_TRUE(test::contains(message, "fp16 ends at 65504"));
}

/// Stopped by signals at these steps and gone on with: the bits of the run that never was.
void expect_same_bits_when_stopped(const std::vector<std::string>& options,
                                   const std::string& adapter,
                                   const std::map<std::int64_t, double>& factors) {
  ScriptedRun whole, stopped;
  whole.adapter = stopped.adapter = adapter;
  whole.script = [&](ScriptedTrainer& trainer) { trainer.loss_factors = factors; };
  ASSERT_EQ(whole.train(options), ExitCode::kDone);
  std::set<std::int64_t> stops = {3, 8, 13};
  stopped.script = [&](ScriptedTrainer& trainer) {
    trainer.loss_factors = factors;
    trainer.after_forward = [&](std::int64_t step) {
      if (stops.erase(step) > 0) std::raise(SIGTERM);
    };
  };
  ExitCode code = ExitCode::kRunAgain;
  for (int runs = 0; code == ExitCode::kRunAgain && runs < 5; ++runs) {
    const InterruptGuard guard;
    code = stopped.train(options, /*resume=*/true);
  }
  ASSERT_EQ(code, ExitCode::kDone);
  EXPECT_TRUE(stops.empty());
  EXPECT_EQ(stopped.product(), whole.product());
  EXPECT_EQ(stopped.metric("loss"), whole.metric("loss"));
  EXPECT_EQ(stopped.metric("loss_scale"), whole.metric("loss_scale"));
  EXPECT_EQ(stopped.record().value("loss_scale", nlohmann::json()),
            whole.record().value("loss_scale", nlohmann::json()));
}

TEST(Fp16Run, GoesOnWithTheSameBitsAndScale) {
  expect_same_bits_when_stopped(kFp16, "{method: lora, r: 4, lora_dropout: 0.1}", {{5, 1e7}});
}

TEST(PureBf16Run, GoesOnWithTheSameBits) {
  expect_same_bits_when_stopped(kPure, "{method: full}", {});
}

TEST(PureBf16Run, LearnsWithHalfTheMemoryOfWeightsAndGradients) {
  ScriptedRun pure, masters;
  pure.adapter = masters.adapter = "{method: full}";
  ASSERT_EQ(pure.train(kPure), ExitCode::kDone);
  ASSERT_EQ(masters.train({"train.precision=bf16"}), ExitCode::kDone);
  const nlohmann::json small = pure.record()["memory"], large = masters.record()["memory"];
  for (const char* key : {"trained_bytes", "gradients_bytes"})
    EXPECT_EQ(2 * small[key].get<std::int64_t>(), large[key].get<std::int64_t>()) << key;
  EXPECT_EQ(small["moments_bytes"], large["moments_bytes"]);
  const auto got = pure.metric("loss"), expected = masters.metric("loss");
  EXPECT_EQ(got.at(1), expected.at(1)) << "the model is the same until the first update";
  // Weights are off by up to 2^-8 of themselves.
  for (const auto& [step, loss] : expected) EXPECT_NEAR(got.at(step), loss, 0.03 * loss) << step;
  EXPECT_LT(got.at(20), got.at(1));
}

TEST(PureBf16Run, IsNotForAdapters) {
  const std::string message = test::message_of<ConfigError>([] { ScriptedRun().train(kPure); });
  EXPECT_TRUE(test::contains(message, "pure_bf16"));
}

TEST(StepInBackward, ChangesNoBitOfTheRun) {
  for (const char* precision : {"fp32", "pure_bf16"}) {
    ScriptedRun early, late;
    early.adapter = late.adapter = "{method: full}";
    auto options = with(kEarly, {std::string("train.precision=") + precision,
                                 "train.gradient_checkpointing=every_layer"});
    ASSERT_EQ(early.train(options), ExitCode::kDone);
    options.front() = "optim.step_in_backward=false";
    ASSERT_EQ(late.train(options), ExitCode::kDone);
    EXPECT_EQ(early.metric("loss"), late.metric("loss"));
    EXPECT_EQ(early.metric("grad_norm"), late.metric("grad_norm"));
    EXPECT_EQ(early.product(), late.product());
    const nlohmann::json small = early.record()["memory"], large = late.record()["memory"];
    EXPECT_LT(small["gradients_bytes"].get<double>(), 0.3 * large["gradients_bytes"].get<double>());
  }
}

TEST(StepInBackward, ALossThatIsNoNumberReachesNoWeight) {
  ScriptedRun run;
  run.adapter = "{method: full}";
  run.script = [](ScriptedTrainer& trainer) { trainer.loss_factors = {{7, kNaN}}; };
  const std::string message = test::message_of<Error>([&] { run.train(kEarly); });
  EXPECT_TRUE(test::contains(message, "the weights are as they were before this step"));
  EXPECT_EQ(run.checkpoints(), (Steps{5}));
}

/// A gradient that is no number, in the middle of step 7's backward pass.
void harm_a_gradient(ScriptedTrainer& trainer) {
  trainer.after_forward = [&trainer](std::int64_t step) {
    if (step != 7) return;
    const auto& parameters = trainer.session.trainable.parameters;
    auto left = std::make_shared<int>(1);
    parameters[parameters.size() / 2].tensor.register_hook(
        [left](const Tensor& gradient) { return (*left)-- > 0 ? gradient * kNaN : gradient; });
  };
}

TEST(StepInBackward, AGradientThatIsNoNumberStopsTheRunAndIsNotSaved) {
  ScriptedRun run;
  run.adapter = "{method: full}";
  run.script = harm_a_gradient;
  const std::string message = test::message_of<Error>([&] { run.train(kEarly); });
  EXPECT_TRUE(test::contains(message, "step 7"));
  EXPECT_TRUE(test::contains(message, "some weights have been updated already"));
  EXPECT_EQ(run.checkpoints(), (Steps{5}));
}

TEST(StepInBackward, ARollbackUndoesWhatHadBeenUpdated) {
  ScriptedRun run;
  run.adapter = "{method: full}";
  std::map<std::int64_t, Tensor> weights;
  run.script = [&](ScriptedTrainer& trainer) {
    harm_a_gradient(trainer);
    trainer.after_forward = [&, harm = trainer.after_forward](std::int64_t step) {
      weights[step] = trainer.session.trainable.parameters.back().tensor.detach().clone();
      harm(step);
    };
  };
  ASSERT_EQ(run.train(with(kEarly, {"guard.on_non_finite=rollback"})), ExitCode::kDone);
  EXPECT_EQ(run.metric("rolled_back_to"), (std::map<std::int64_t, double>{{7, 5}}));
  EXPECT_TRUE(weights.at(8).equal(weights.at(6)));
  EXPECT_FALSE(weights.at(7).equal(weights.at(6)));
  EXPECT_EQ(run.checkpoints().size(), 5u);
}

// The signal comes when half of the weights have been updated: the step is ended first.
TEST(StepInBackward, ASignalLeavesNoStepHalfDone) {
  ScriptedRun whole, stopped;
  whole.adapter = stopped.adapter = "{method: full}";
  ASSERT_EQ(whole.train(kEarly), ExitCode::kDone);
  bool raised = false;
  stopped.script = [&](ScriptedTrainer& trainer) {
    trainer.after_forward = [&](std::int64_t step) {
      if (step != 7 || raised) return;
      const auto& parameters = trainer.session.trainable.parameters;
      parameters[parameters.size() / 2].tensor.register_hook([&raised](const Tensor&) {
        if (!std::exchange(raised, true)) std::raise(SIGTERM);
      });
    };
  };
  {
    const InterruptGuard guard;
    ASSERT_EQ(stopped.train(kEarly), ExitCode::kRunAgain);
  }
  EXPECT_EQ(stopped.checkpoints().back(), 7);
  ASSERT_EQ(stopped.train(kEarly, /*resume=*/true), ExitCode::kDone);
  EXPECT_EQ(stopped.product(), whole.product());
}

TEST(StepInBackward, RefusesWhatNeedsAllGradientsAndSaysWhy) {
  for (const char* option :
       {"train.gradient_accumulation_steps=2", "train.max_grad_norm=1", "train.precision=fp16",
        "guard.on_non_finite=skip", "guard.on_spike=stop", "report.grad_norm_groups=true",
        "adapter.method=lora"}) {
    ScriptedRun run;
    run.adapter = "{method: full}";
    const std::string message =
        test::message_of<ConfigError>([&] { run.train(with(kEarly, {option})); });
    EXPECT_TRUE(test::contains(message, "before the next one is there")) << option;
    const std::string key(option, std::string(option).find('='));
    EXPECT_TRUE(test::contains(message, key)) << option;
  }
}

// Sixteen layers, few tokens: what a backward pass takes is gradients, all of them or one layer's.
TEST(StepInBackward, LetsGradientsGoAsTheyCome) {
  model::Decoder decoder = model::load_decoder(test::fixture("train/_base"), {});
  while (decoder.layers.size() < 16) {
    decoder.layers.push_back(decoder.layers[decoder.layers.size() % 2]);
    decoder.spec.layers.push_back(decoder.spec.layers[0]);
  }
  std::vector<optim::Parameter> parameters;
  std::int64_t bytes = 0, largest = 0;
  for (const model::WeightSlot& slot : model::weight_slots(decoder)) {
    *slot.tensor = slot.tensor->clone().requires_grad_();
    parameters.push_back({slot.name, *slot.tensor});
    bytes += std::int64_t(slot.tensor->nbytes());
    largest = std::max(largest, std::int64_t(slot.tensor->nbytes()));
  }
  auto options = config::parse<optim::OptimOptions>("{name: sgd}", "options").options;
  optim::Optimizer optimizer(parameters, options);
  model::TokenStream tokens;
  tokens.ids_N = tokens.positions_N = torch::arange(4, torch::kInt64);
  tokens.cu_seqlens = {0, 4};
  const auto peak = [&](bool early) {
    std::optional<optim::BackwardSteps> steps;
    if (early) steps.emplace(optimizer, optim::BackwardSteps::Update{1e-3, 0});
    const MemoryWatch memory;
    model::hidden_states(decoder, tokens).square().mean().backward();
    optimizer.zero_grad();
    return memory.peak_bytes();
  };
  const std::int64_t late = peak(false), early = peak(true);
  RecordProperty("gradient_bytes", std::to_string(bytes));
  RecordProperty("peak_bytes", std::to_string(late));
  RecordProperty("peak_bytes_in_backward", std::to_string(early));
  // One gradient is being made while one is being used.
  EXPECT_GE(late - early, bytes - 2 * largest);
}

}  // namespace
}  // namespace hone::engine
