#include "base/file.h"
#include "trainers/trajectory.h"

// Whole runs of `hone train` on a tiny model.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::relative_difference;
using test::run_hone;
using test::TinyRun;

class SftTrajectory : public testing::TestWithParam<const char*> {};

// TRL's SFTTrainer, 20 steps in fp32.
TEST_P(SftTrajectory, IsTrlsStepByStep) {
  const fs::path fixture = test::fixture(std::string("train/") + GetParam());
  const TinyRun run(test::adapter_as(fixture));
  const test::Finished finished = run_hone(run.train());
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  test::expect_trajectory(run, fixture, {});

  const json expected = io::read_json(fixture / "trajectory.json");
  const std::vector<json> metrics = test::read_jsonl(run.output() / "metrics.jsonl");
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    tokens += metrics[i]["tokens"].get<std::int64_t>();
    EXPECT_EQ(double(tokens), expected[i]["num_tokens"].get<double>());
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, SftTrajectory,
                         testing::Values("sft_lora", "sft_dora", "sft_full"),
                         [](const auto& one) { return std::string(one.param); });

// The same rows a step, cut into micro-batches in different ways, are the same step.
TEST(Sft, AccumulationEqualsOneBatch) {
  const TinyRun cut("{method: lora, r: 4}"), whole("{method: lora, r: 4}"),
      budget("{method: lora, r: 4}");
  ASSERT_EQ(run_hone(cut.train()).exit_code, 0);
  ASSERT_EQ(run_hone(whole.train({"train.per_device_train_batch_size=8",
                                  "train.gradient_accumulation_steps=1"}))
                .exit_code,
            0);
  // Micro-batches of one row each: every row alone, without company.
  ASSERT_EQ(run_hone(budget.train({"train.tokens_per_device_batch=1",
                                   "train.gradient_accumulation_steps=8"}))
                .exit_code,
            0);
  const auto cut_metrics = test::read_jsonl(cut.output() / "metrics.jsonl");
  for (const TinyRun* other : {&whole, &budget}) {
    const auto metrics = test::read_jsonl(other->output() / "metrics.jsonl");
    ASSERT_EQ(metrics.size(), cut_metrics.size());
    for (std::size_t i = 0; i < metrics.size(); ++i) {
      const double loss = metrics[i]["loss"];
      EXPECT_NEAR(cut_metrics[i]["loss"].get<double>() / loss, 1.0, 1e-6) << "step " << i + 1;
      EXPECT_EQ(metrics[i]["trained_tokens"], cut_metrics[i]["trained_tokens"]);
    }
    EXPECT_LT(relative_difference(other->output() / "adapter" / "adapter_model.safetensors",
                                  cut.output() / "adapter" / "adapter_model.safetensors"),
              1e-5);
  }
}

TEST(Sft, TheSameSeedGivesTheSameBitsAndAnotherSeedOthers) {
  const std::string adapter = "{method: lora, r: 4, lora_dropout: 0.1}";
  const TinyRun first(adapter), second(adapter), third(adapter);
  const std::vector<std::string> shuffled = {"data.shuffle=true", "train.max_steps=5"};
  ASSERT_EQ(run_hone(first.train(shuffled)).exit_code, 0);
  ASSERT_EQ(run_hone(second.train(shuffled)).exit_code, 0);
  ASSERT_EQ(
      run_hone(third.train({"data.shuffle=true", "train.max_steps=5", "--seed", "7"})).exit_code,
      0);
  const auto adapter_of = [](const TinyRun& run) {
    return read_file(run.output() / "adapter" / "adapter_model.safetensors");
  };
  EXPECT_EQ(adapter_of(first), adapter_of(second));
  EXPECT_NE(adapter_of(first), adapter_of(third));
}

TEST(Sft, WritesTheRunsFolder) {
  const TinyRun run("{method: lora, r: 4}");
  const std::string rows = test::fixture("train/data/sft.jsonl").string();
  const test::Finished finished =
      run_hone(run.train({"data.eval=" + rows, "eval.eval_steps=10", "checkpoint.save_steps=10"}));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(finished.out.empty()) << "train has no results for stdout";

  const json record = io::read_json(run.output() / "run.json");
  EXPECT_EQ(record["status"], "done");
  EXPECT_EQ(record["steps"], 20);
  for (const char* key : {"final_loss", "final_eval_loss", "tokens_per_s", "peak_memory_bytes",
                          "time_to_first_step_s"})
    EXPECT_GT(record[key].get<double>(), 0) << key;
  for (const char* key : {"base", "data", "config"})
    EXPECT_EQ(record["hashes"][key].get<std::string>().size(), 64u) << key;

  std::vector<std::int64_t> evaluated;
  for (const json& line : test::read_jsonl(run.output() / "metrics.jsonl"))
    if (line.contains("eval_loss")) evaluated.push_back(line["step"]);
  EXPECT_EQ(evaluated, (std::vector<std::int64_t>{10, 20}));
  EXPECT_TRUE(fs::exists(run.output() / "checkpoints" / "step-10" / "manifest.json"));
  EXPECT_TRUE(fs::exists(run.output() / "checkpoints" / "step-20" / "manifest.json"));
  // The resolved config is a config: it runs again, to the same bits.
  const fs::path again = run.folder / "again";
  ASSERT_EQ(run_hone({"train", (run.output() / "config.resolved.yaml").string(),
                      "train.output_dir=" + again.string()})
                .exit_code,
            0);
  EXPECT_EQ(read_file(again / "adapter" / "adapter_model.safetensors"),
            read_file(run.output() / "adapter" / "adapter_model.safetensors"));
}

TEST(Sft, EvalGivesTheLossThatTheRunEndedWith) {
  const TinyRun run("{method: lora, r: 4}");
  const std::string eval = "data.eval=" + test::fixture("train/data/sft.jsonl").string();
  ASSERT_EQ(run_hone(run.train({eval})).exit_code, 0);
  const test::Finished finished =
      run_hone({"eval", run.config, eval, "--adapter", (run.output() / "adapter").string()});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const double loss = json::parse(finished.out)["eval_loss"];
  EXPECT_DOUBLE_EQ(loss, io::read_json(run.output() / "run.json")["final_eval_loss"]);
}

}  // namespace
}  // namespace hone
