#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "distributed/rank_process.h"

// Several ranks take the steps that one takes: over Gloo, by the command line.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;
using test::TinyRun;
using Texts = std::vector<std::string>;

struct Kind {
  const char* name;
  const char* adapter;
  const char* method;
  const char* rows;
  Texts more;
};

const Kind kKinds[] = {
    {"SftLora", "{method: lora, r: 4, lora_dropout: 0.1}", "sft", "sft", {}},
    {"SftFull", "{method: full}", "sft", "sft", {"optim.learning_rate=1e-4"}},
    {"DpoLora", "{method: lora, r: 4}", "dpo", "pref", {}},
    {"QLora", "{method: lora, r: 4}", "sft", "sft", {"model.quantization=nf4"}},
    {"Adalora",
     "{method: adalora, r: 6, target_r: 3, tinit: 1, tfinal: 2, deltaT: 1}",
     "sft",
     "sft",
     {}},
    {"Kto", "{method: lora, r: 4}", "kto", "kto", {}},
    {"Bco", "{method: lora, r: 4}", "kto", "kto", {"kto.loss_type=bco"}},
    {"Orpo", "{method: lora, r: 4}", "orpo", "pref", {}},
    {"TrDpo",
     "{method: lora, r: 4}",
     "dpo",
     "pref",
     {"dpo.reference=initial_adapter", "dpo.sync_ref_model=true", "dpo.ref_model_sync_steps=2"}},
    {"Reward", "{method: lora, r: 4}", "reward", "pref", {}},
};

constexpr int kSteps = 6;
constexpr int kMicroBatches = 4;  // of a step, over all ranks

/// @param output the run's folder, for the first part of a name
Texts overrides_of(const Kind& kind, int ranks, const fs::path& output) {
  Texts all = {
      fmt::format("train.method={}", kind.method),
      "data.train=" + test::fixture(fmt::format("train/data/{}.jsonl", kind.rows)).string(),
      "data.shuffle=true",
      fmt::format("train.max_steps={}", kSteps),
      fmt::format("train.gradient_accumulation_steps={}", kMicroBatches / ranks),
      "train.output_dir=" + output.string()};
  all.insert(all.end(), kind.more.begin(), kind.more.end());
  return all;
}

void expect_near(const json& one, const json& other, const char* key, double tolerance) {
  const double a = one.at(key), b = other.at(key);
  EXPECT_NEAR(a, b, tolerance * std::max(1.0, std::abs(a))) << key << " of step " << one["step"];
}

void expect_same_steps(const std::vector<json>& alone, const std::vector<json>& shared) {
  ASSERT_EQ(alone.size(), std::size_t{kSteps});
  ASSERT_EQ(shared.size(), alone.size());
  for (std::size_t i = 0; i < alone.size(); ++i) {
    for (const char* key : {"step", "tokens", "trained_tokens", "epoch", "learning_rate"})
      EXPECT_EQ(alone[i][key], shared[i][key]) << key << " of step " << i + 1;
    expect_near(alone[i], shared[i], "loss", 1e-6);
    expect_near(alone[i], shared[i], "grad_norm", 1e-4);
    for (const auto& [key, value] : alone[i].items())
      if (key.find("reward") != std::string::npos || key == "kl" || key == "accuracy" ||
          key == "nll_loss")
        expect_near(alone[i], shared[i], key.c_str(), 1e-5);
  }
}

class Ranks : public testing::TestWithParam<std::tuple<Kind, int>> {};

TEST_P(Ranks, TakeTheStepsOfOne) {
  const auto& [kind, ranks] = GetParam();
  const TinyRun run(kind.adapter);
  const fs::path alone = run.folder / "alone", shared = run.folder / "shared";
  const Finished first = run_hone(run.train(overrides_of(kind, 1, alone)));
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const Finished finished = run_hone(test::launch(run, ranks, overrides_of(kind, ranks, shared)));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  expect_same_steps(test::steps_in(alone), test::steps_in(shared));
  EXPECT_TRUE(contains(finished.err, "[0] ranks   " + std::to_string(ranks)));
  EXPECT_FALSE(contains(finished.err, "[1] "))
      << "what happens is told by one rank, and nothing is amiss";
}

std::string name_of(const testing::TestParamInfo<std::tuple<Kind, int>>& one) {
  return fmt::format("{}On{}", std::get<0>(one.param).name, std::get<1>(one.param));
}

INSTANTIATE_TEST_SUITE_P(Two, Ranks,
                         testing::Combine(testing::ValuesIn(kKinds), testing::Values(2)), name_of);
INSTANTIATE_TEST_SUITE_P(SlowFour, Ranks,
                         testing::Combine(testing::ValuesIn(kKinds), testing::Values(4)), name_of);

TEST(RanksOfARun, WriteOneRunFolderAsOneWould) {
  const TinyRun run("{method: lora, r: 4}");
  const Texts common = {"train.max_steps=4", "checkpoint.save_steps=2",
                        "data.eval=" + test::fixture("train/data/sft.jsonl").string(),
                        "eval.eval_steps=2"};
  Texts overrides = common;
  overrides.emplace_back("train.gradient_accumulation_steps=2");
  const Finished finished = run_hone(test::launch(run, 2, overrides));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  std::vector<std::int64_t> steps;
  for (const json& line : test::read_jsonl(run.output() / "metrics.jsonl"))
    steps.push_back(line["step"]);
  EXPECT_EQ(steps, (std::vector<std::int64_t>{1, 2, 2, 3, 4, 4}));
  for (const char* entry : {"config.resolved.yaml", "run.json", "checkpoints/step-2",
                            "checkpoints/step-4", "adapter/adapter_model.safetensors"})
    EXPECT_TRUE(fs::exists(run.output() / entry)) << entry;
}

TEST(RanksOfARun, AreTakenFromSlurmsEnvironmentToo) {
  const TinyRun run("{method: lora, r: 4}");
  // Two processes as srun would start them.
  const std::string rank =
      "SLURM_PROCID=$r SLURM_LOCALID=$r SLURM_NTASKS=2 SLURM_JOB_ID=" + std::to_string(::getpid()) +
      " SLURM_NODELIST=localhost ";
  const Finished finished = test::run_program(
      {"bash", "-c",
       "for r in 0 1; do " + rank + test::hone_binary() + " train " + run.config +
           " train.max_steps=2 train.gradient_accumulation_steps=2 & pids+=($!); done; "
           "wait ${pids[0]} && wait ${pids[1]}"});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(contains(finished.err, "ranks   2"));
  EXPECT_EQ(test::steps_in(run.output()).size(), 2u);
}

TEST(RanksOfARun, GoOnFromACheckpointOnAnotherNumberOfRanks) {
  const TinyRun run("{method: lora, r: 4, lora_dropout: 0.1}");
  const Kind& kind = kKinds[0];
  const fs::path whole = run.folder / "whole", parts = run.folder / "parts";
  // A constant rate, so that a run that ends early has the same one.
  const auto overrides = [&](int ranks, int steps, const fs::path& output) {
    Texts all = overrides_of(kind, ranks, output);
    all.insert(all.end(), {fmt::format("train.max_steps={}", steps),
                           "schedule.lr_scheduler_type=constant_with_warmup"});
    return all;
  };
  const Finished undisturbed = run_hone(run.train(overrides(1, kSteps, whole)));
  ASSERT_EQ(undisturbed.exit_code, 0) << undisturbed.err;
  const std::vector<std::pair<int, int>> parts_done = {{4, 2}, {2, 4}, {1, kSteps}};
  for (const auto& [ranks, steps] : parts_done) {
    Texts more = overrides(ranks, steps, parts);
    more.insert(more.end(), {"--resume", "auto"});
    const Finished finished = run_hone(test::launch(run, ranks, more));
    ASSERT_EQ(finished.exit_code, 0) << finished.err;
  }
  expect_same_steps(test::steps_in(whole), test::steps_in(parts));
}

TEST(RanksOfARun, RefuseAStepOfOtherSizeOnResume) {
  const TinyRun run("{method: lora, r: 4}");
  const Finished first = run_hone(run.train({"train.max_steps=2"}));
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const Finished finished =
      run_hone(test::launch(run, 2, {"train.max_steps=4", "--resume", "auto"}));
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_TRUE(contains(finished.err, "train.gradient_accumulation_steps: then 4, now 8"));
}

TEST(Launch, RefusesWhatCannotWork) {
  const TinyRun run("{method: lora, r: 4}");
  const auto refusal = [&](const Texts& arguments) {
    const Finished finished = run_hone(arguments);
    EXPECT_EQ(finished.exit_code, 2);
    return finished.err;
  };
  EXPECT_TRUE(contains(refusal({"launch", "--nproc", "2", "--", "eval", run.config}), "`eval`"));
  EXPECT_TRUE(
      contains(refusal({"launch", "--nnodes", "2", "--", "train", run.config}), "--master"));
  EXPECT_TRUE(
      contains(refusal({"launch", "--master", "host", "--", "train", run.config}), "HOST:PORT"));
  EXPECT_TRUE(contains(refusal({"launch", "--node-rank", "1", "--", "train", run.config}),
                       "--node-rank 1"));
  EXPECT_TRUE(contains(refusal(test::launch(run, 2, {"train.max_stepz=2"})), "max_stepz"));
}

TEST(Launch, RefusesAotWhosePairsAreComparedAcrossRanks) {
  const TinyRun run("{method: lora, r: 4}");
  const Texts overrides = {"train.method=dpo",
                           "data.train=" + test::fixture("train/data/pref.jsonl").string(),
                           "dpo.loss_type=aot", "train.gradient_accumulation_steps=1"};
  const Finished finished = run_hone(test::launch(run, 2, overrides));
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "compares the pairs of a step"));
}

}  // namespace
}  // namespace hone
