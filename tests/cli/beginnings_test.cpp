#include <cmath>

#include "base/file.h"
#include "io/json.h"
#include "support/logprobs.h"
#include "support/tiny_run.h"

// EVA, LoftQ and ReLoRA from the command line.

namespace hone {
namespace {

using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;
using test::TinyRun;

std::vector<double> logprobs(const test::TempFolder& folder, const std::string& model,
                             const std::vector<std::string>& more = {}) {
  return test::logprobs_of({3, 5, 17, 200, 8, 9, 10}, folder, model, more);
}

TEST(Beginnings, EvaGivesRanksByTheDataAndIsNotRepeatedByAResume) {
  const TinyRun run("{method: lora, r: 4, init_lora_weights: eva, eva_rho: 3}");
  const Finished trained = run_hone(run.train({"train.max_steps=4", "checkpoint.save_steps=2"}));
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_TRUE(contains(trained.err, "eva     14 modules over 8 inputs"));
  const json config = io::read_json(run.output() / "adapter" / "adapter_config.json");
  EXPECT_EQ(config["init_lora_weights"], "eva");
  EXPECT_EQ(config["eva_config"]["rho"], 3.0);
  EXPECT_FALSE(config["rank_pattern"].empty());
  const std::string first = read_file(run.output() / "adapter" / "adapter_model.safetensors");
  std::filesystem::remove_all(run.output() / "adapter");
  const Finished resumed =
      run_hone(run.train({"train.max_steps=4", "checkpoint.save_steps=2", "--resume",
                          (run.output() / "checkpoints" / "step-2").string()}));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_FALSE(contains(resumed.err, "eva     14 modules"));
  EXPECT_EQ(first, read_file(run.output() / "adapter" / "adapter_model.safetensors"));
}

TEST(Beginnings, ALoftqAdapterIsServedOnTheBaseThatTheConfigPacks) {
  const TinyRun run("{method: lora, r: 8, init_lora_weights: loftq}");
  // At a rate of nothing the product is what the run began with.
  const Finished trained =
      run_hone(run.train({"model.quantization=nf4", "train.max_steps=1", "train.precision=fp32",
                          "optim.learning_rate=1e-12"}));
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const test::TempFolder folder;
  const std::string base = test::fixture("train/_base").string();
  const auto exact = logprobs(folder, base),
             packed = logprobs(folder, base, {"--quantization", "nf4"});
  const auto loftq = logprobs(
      folder, base, {"--quantization", "nf4", "--adapter", (run.output() / "adapter").string()});
  double plain = 0, ours = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    plain += std::abs(packed[i] - exact[i]);
    ours += std::abs(loftq[i] - exact[i]);
  }
  EXPECT_LT(ours, plain) << "nearer the model that was not packed";
}

TEST(Beginnings, AfterSeveralRoundsLoftqSavesTheBaseThatItsAdapterBelongsOn) {
  const TinyRun run("{method: lora, r: 8, init_lora_weights: loftq, loftq_iter: 3}");
  const std::string rows = test::fixture("train/data/sft.jsonl").string();
  const Finished trained =
      run_hone(run.train({"model.quantization=nf4", "train.max_steps=6", "train.precision=fp32",
                          "data.eval=" + rows, "optim.learning_rate=1e-3"}));
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const std::string base = (run.output() / "loftq_base").string();
  EXPECT_EQ(
      io::read_json(run.output() / "adapter" / "adapter_config.json")["base_model_name_or_path"],
      base);
  const double ended = io::read_json(run.output() / "run.json")["final_eval_loss"];
  const Finished measured =
      run_hone({"eval", run.config, "model.base=" + base, "data.eval=" + rows, "--adapter",
                (run.output() / "adapter").string(), "train.precision=fp32",
                "adapter.init_lora_weights=default", "adapter.loftq_iter=1"});
  ASSERT_EQ(measured.exit_code, 0) << measured.err;
  EXPECT_NEAR(json::parse(measured.out)["eval_loss"].get<double>() / ended, 1.0, 1e-5);
}

TEST(Beginnings, ReloraSavesAMergedModelThatComputesWhatTheRunDid) {
  const TinyRun run(
      "{method: lora, r: 4, relora_steps: 5, relora_warmup_steps: 1, relora_prune_ratio: 1}");
  const std::string rows = test::fixture("train/data/sft.jsonl").string();
  const Finished trained = run_hone(run.train({"data.eval=" + rows, "train.precision=fp32"}));
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const double ended = io::read_json(run.output() / "run.json")["final_eval_loss"];
  const Finished measured =
      run_hone({"eval", run.config, "model.base=" + (run.output() / "model").string(),
                "data.eval=" + rows, "train.precision=fp32"});
  ASSERT_EQ(measured.exit_code, 0) << measured.err;
  EXPECT_NEAR(json::parse(measured.out)["eval_loss"].get<double>() / ended, 1.0, 1e-5);
}

TEST(Beginnings, WhatCannotWorkIsRefused) {
  struct Refused {
    const char *adapter, *more, *reason;
  };
  for (const Refused& one :
       {Refused{"{method: lora, eva_rho: 3}", "train.max_steps=1",
                "has an effect with init_lora_weights: eva only"},
        Refused{"{method: lora, relora_warmup_steps: 3}", "train.max_steps=1",
                "has an effect with adapter.relora_steps only"},
        Refused{"{method: ia3, relora_steps: 10}", "train.max_steps=1", "has no such option"},
        Refused{"{method: lora, init_lora_weights: loftq}", "train.max_steps=1",
                "add model.quantization: nf4"},
        Refused{"{method: lora, init_lora_weights: eve}", "train.max_steps=1", "got \"eve\""},
        Refused{"{method: lora, init_lora_weights: pissa, relora_steps: 10}", "train.max_steps=1",
                "restarts begin by"},
        Refused{"{method: lora, relora_steps: 5}", "train.max_steps=1",
                "below relora_warmup_steps 10"},
        Refused{"{method: lora, r: 4, relora_steps: 20, target_modules: [lm_head, q_proj]}",
                "train.max_steps=1", "leave lm_head out"},
        Refused{"{method: lora, r: 4, init_lora_weights: loftq, target_modules: [lm_head]}",
                "model.quantization=nf4", "is not packed so"}}) {
    const TinyRun run(one.adapter);
    const Finished refused = run_hone(run.train({one.more}));
    EXPECT_EQ(refused.exit_code, 2) << one.adapter;
    EXPECT_TRUE(contains(refused.err, one.reason)) << one.adapter;
  }
}

}  // namespace
}  // namespace hone
