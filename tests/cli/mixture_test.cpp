#include "base/file.h"
#include "support/tiny_run.h"

// Sources and stages, through the command line.

namespace hone {
namespace {

using nlohmann::json;
using test::contains;
using test::run_hone;
using test::TinyRun;

/// Rows of `length` tokens, all of them `id`.
std::string rows_of(int count, int length, int id) {
  std::string text;
  for (int i = 0; i < count; ++i)
    text +=
        json{{"input_ids", std::vector<int>(static_cast<std::size_t>(length), id)}}.dump() + "\n";
  return text;
}

/// A tiny run over two sources: 12 rows of 5 tokens and 3 of 9.
struct MixedRun : TinyRun {
  MixedRun() : TinyRun("{method: lora, r: 4}") {
    const std::string a = folder.write("a.jsonl", rows_of(12, 5, 7));
    const std::string b = folder.write("b.jsonl", rows_of(3, 9, 8));
    mixed = {"data.train=[]",
             "data.sources=[{name: a, files: " + a + "}, {name: b, files: " + b + "}]",
             "data.stages=[{mix_strategy: all_exhausted, weights: {a: 3, b: 1}}, "
             "{sources: a, epochs: 0.5}]",
             "data.shuffle=true",
             "train.per_device_train_batch_size=1",
             "train.max_steps=0",
             "train.num_train_epochs=1",
             "schedule.lr_scheduler_type=constant",
             "schedule.warmup_steps=0",
             "train.gradient_accumulation_steps=1"};
  }
  std::vector<std::string> train_mixed(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), mixed.begin(), mixed.end());
    return train(more);
  }

  std::vector<std::string> mixed;
};

TEST(Mixture, AnEpochIsItsStagesAndEachStageItsMixture) {
  const MixedRun run;
  const test::Finished finished = run_hone(run.train_mixed());
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const std::vector<json> metrics = test::read_jsonl(run.output() / "metrics.jsonl");
  // 12 rows of a at 3 to 1 take 4 of b, the third of which is the first one again; then half of a.
  std::size_t of_b = 0, steps = 0;
  for (const json& line : metrics) {
    if (!line.contains("loss")) continue;
    const bool is_b = line["tokens"] == 9;
    of_b += is_b;
    EXPECT_FALSE(is_b && steps >= 16) << "the tail has none of b";
    ++steps;
  }
  EXPECT_EQ(steps, 22u);
  EXPECT_EQ(of_b, 4u);
}

TEST(Mixture, AResumedRunEndsWithTheSameBits) {
  const MixedRun whole, parts;
  ASSERT_EQ(run_hone(whole.train_mixed()).exit_code, 0);
  ASSERT_EQ(run_hone(parts.train_mixed({"train.max_steps=9", "checkpoint.save_steps=9"})).exit_code,
            0);
  const test::Finished finished = run_hone(parts.train_mixed({"--resume", "auto"}));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const auto adapter_of = [](const TinyRun& run) {
    return read_file(run.output() / "adapter" / "adapter_model.safetensors");
  };
  EXPECT_TRUE(adapter_of(whole) == adapter_of(parts));
}

TEST(Mixture, AnotherMixtureIsAnotherRun) {
  const MixedRun run;
  ASSERT_EQ(run_hone(run.train_mixed({"train.max_steps=2", "checkpoint.save_steps=2"})).exit_code,
            0);
  const test::Finished finished = run_hone(
      run.train_mixed({"data.stages=[{mix_strategy: all_exhausted}]", "--resume", "auto"}));
  EXPECT_EQ(finished.exit_code, 1) << finished.err;
  EXPECT_TRUE(contains(finished.err, "data.mixture"));
}

TEST(Mixture, InspectAndBuildTakeEachSource) {
  const MixedRun run;
  std::vector<std::string> arguments{"data", "inspect", run.config, "--rows", "1", "--json"};
  arguments.insert(arguments.end(), run.mixed.begin(), run.mixed.end());
  const test::Finished inspected = run_hone(arguments);
  EXPECT_EQ(inspected.exit_code, 0) << inspected.err;
  EXPECT_TRUE(contains(inspected.out, "a.jsonl"));
  EXPECT_TRUE(contains(inspected.out, "b.jsonl"));
  arguments = {"data", "build", run.config, "--cache", run.folder / "cache", "--json"};
  arguments.insert(arguments.end(), run.mixed.begin(), run.mixed.end());
  const test::Finished built = run_hone(arguments);
  EXPECT_EQ(built.exit_code, 0) << built.err;
  EXPECT_TRUE(contains(built.out, "\"set\":\"a\""));
  EXPECT_TRUE(contains(built.out, "\"set\":\"b\""));
}

}  // namespace
}  // namespace hone
