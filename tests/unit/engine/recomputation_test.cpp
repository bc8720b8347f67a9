#include "engine/recomputation.h"

#include "base/error.h"
#include "config/load.h"
#include "engine/memory_watch.h"
#include "engine/optimizer_step.h"
#include "model/load.h"
#include "unit/engine/scripted_run.h"

namespace hone::engine {
namespace {

using test::ScriptedRun;
using test::ScriptedTrainer;

TEST(ChooseLayers, TakesThoseThatSaveMostForTheirTimeAndNoMoreThanNeeded) {
  // Saves 90 in 1 s, 90 in 3 s, 40 in 1 s: worth 90, 30 and 40 a second.
  const std::vector<LayerCost> costs = {{100, 10, 1}, {100, 10, 3}, {50, 10, 1}};
  using Chosen = std::vector<bool>;
  EXPECT_EQ(choose_layers(costs, 250), (Chosen{false, false, false}));
  // The backward pass needs the 90 of the first for a while, so the first alone wins nothing.
  EXPECT_EQ(choose_layers(costs, 249), (Chosen{true, false, true}));
  EXPECT_EQ(choose_layers(costs, 210), (Chosen{true, false, true}));
  EXPECT_EQ(choose_layers(costs, 209), (Chosen{true, true, true}));
  EXPECT_EQ(choose_layers(costs, 1), (Chosen{true, true, true}));
}

// Dropout, two micro-batches a step, and each way to choose the layers.
class SameNumbers : public testing::TestWithParam<const char*> {};

TEST_P(SameNumbers, WhateverIsComputedAgain) {
  const std::vector<std::string> more = {"train.max_steps=6",
                                         "train.gradient_accumulation_steps=2"};
  ScriptedRun plain;
  plain.adapter = GetParam();
  ASSERT_EQ(plain.train(more), ExitCode::kDone);
  const std::vector<std::vector<std::string>> ways = {
      {"train.gradient_checkpointing=every_layer"},
      {"train.gradient_checkpointing=every_kth", "train.gradient_checkpointing_interval=2"},
      {"train.gradient_checkpointing=budget", "train.activation_budget_mb=1"}};
  for (const auto& way : ways) {
    ScriptedRun again;
    again.adapter = GetParam();
    std::vector<std::string> with = more;
    with.insert(with.end(), way.begin(), way.end());
    ASSERT_EQ(again.train(with), ExitCode::kDone);
    EXPECT_EQ(again.metric("loss"), plain.metric("loss")) << way[0];
    EXPECT_EQ(again.metric("grad_norm"), plain.metric("grad_norm")) << way[0];
    EXPECT_EQ(again.product(), plain.product()) << way[0];
  }
}

INSTANTIATE_TEST_SUITE_P(Methods, SameNumbers,
                         testing::Values("{method: lora, r: 4, lora_dropout: 0.2}",
                                         "{method: lora, use_dora: true, r: 4, lora_dropout: 0.2}",
                                         "{method: ia3}", "{method: full}",
                                         "{method: prompt_tuning, num_virtual_tokens: 4}",
                                         "{method: prefix_tuning, num_virtual_tokens: 4}"));

/// Sixteen layers out of the tiny model's two, and a stream of 2000 tokens.
struct DeepModel {
  model::Decoder decoder = model::load_decoder(test::fixture("train/_base"), {});
  model::TokenStream tokens;

  DeepModel() {
    while (decoder.layers.size() < 16) {
      decoder.layers.push_back(decoder.layers[decoder.layers.size() % 2]);
      decoder.spec.layers.push_back(decoder.spec.layers[0]);
    }
    for (model::Layer& layer : decoder.layers) layer.q_proj.weight.requires_grad_();
    const Tensor places = torch::arange(2000, torch::kInt64);
    tokens.ids_N = places % 250;
    tokens.positions_N = places % 100;
    for (std::int64_t border = 0; border <= 2000; border += 100)
      tokens.cu_seqlens.push_back(border);
  }

  std::int64_t peak_bytes() const {
    const MemoryWatch memory;
    model::hidden_states(decoder, tokens).square().mean().backward();
    return memory.peak_bytes();
  }
};

TEST(Recomputation, TakesAFractionOfTheMemory) {
  DeepModel model;
  const std::int64_t all = model.peak_bytes();
  TrainOptions options = config::defaults<TrainOptions>();
  options.gradient_checkpointing = "every_layer";
  const auto dropout = std::make_shared<adapters::DropoutState>();
  model.decoder.recomputation = make_recomputation(options, 16, dropout);
  const std::int64_t every = model.peak_bytes();
  options.gradient_checkpointing = "every_kth";
  options.gradient_checkpointing_interval = 2;
  model.decoder.recomputation = make_recomputation(options, 16, dropout);
  const std::int64_t second = model.peak_bytes();
  RecordProperty("peak_bytes", std::to_string(all));
  RecordProperty("peak_bytes_every_layer", std::to_string(every));
  RecordProperty("peak_bytes_every_second", std::to_string(second));
  EXPECT_LT(double(every), 0.25 * double(all));
  EXPECT_LT(double(second), 0.65 * double(all));
  EXPECT_GT(second, every);
}

TEST(MemoryWatch, CountsWhatIsThereAndTheMost) {
  const MemoryWatch memory;
  Tensor first = torch::empty({1000}, torch::kFloat64);
  EXPECT_EQ(memory.live_bytes(), 8000);
  { const Tensor second = torch::empty({500}, torch::kFloat32); }
  EXPECT_EQ(memory.live_bytes(), 8000);
  EXPECT_EQ(memory.peak_bytes(), 10000);
  first = Tensor();
  EXPECT_EQ(memory.live_bytes(), 0);
}

/// Tokens of the micro-batches that a run computes before its first step.
std::vector<std::int64_t> probed(const std::vector<std::string>& more, std::string& product) {
  ScriptedRun run;
  std::vector<std::int64_t> tokens;
  run.script = [&](ScriptedTrainer& trainer) {
    trainer.after_forward = [&](std::int64_t step) {
      if (step == kProbeStep)
        tokens.push_back(
            trainer.session.feed.step(datasets::StepFeed::kProbe).micro_batches.at(0).tokens());
    };
  };
  EXPECT_EQ(run.train(more), ExitCode::kDone);
  product = run.product();
  return tokens;
}

TEST(Probe, RunsTheLongestMicroBatchAndChangesNoNumber) {
  const std::vector<std::string> more = {"data.shuffle=true", "train.max_steps=0",
                                         "train.num_train_epochs=2",
                                         "train.gradient_accumulation_steps=4"};
  std::string with, without;
  const auto tokens = probed(more, with);
  auto off = more;
  off.push_back("train.probe=false");
  EXPECT_TRUE(probed(off, without).empty());
  EXPECT_EQ(with, without);
  ASSERT_EQ(tokens.size(), 1u);

  ScriptedRun run;
  std::int64_t longest = 0;
  run.script = [&](ScriptedTrainer& trainer) {
    for (std::int64_t step = 0; step < trainer.session.total_steps; ++step)
      for (const datasets::Batch& batch : trainer.session.feed.step(step).micro_batches)
        longest = std::max(longest, batch.tokens());
  };
  ASSERT_EQ(run.train(more), ExitCode::kDone);
  EXPECT_EQ(tokens[0], longest);
}

TEST(Probe, IsLeftOutWhereTheFirstStepIsAsLong) {
  std::string product;
  EXPECT_TRUE(probed({"train.per_device_train_batch_size=160"}, product).empty());
}

TEST(OptimizerStep, NamesTheMicroBatchThatDoesNotFit) {
  ScriptedRun run;
  run.script = [](ScriptedTrainer& trainer) {
    trainer.after_forward = [](std::int64_t step) {
      if (step == 3) torch::empty({std::int64_t{1} << 50}, torch::kFloat64);
    };
  };
  const std::string message = test::message_of<Error>([&] { run.train({}); });
  for (const char* part : {"step 3", "in 2 documents", "gradient_checkpointing: every_layer",
                           "tokens_per_device_batch"})
    EXPECT_TRUE(test::contains(message, part));
}

}  // namespace
}  // namespace hone::engine
