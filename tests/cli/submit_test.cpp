#include <cstdlib>

#include "base/file.h"
#include "support/tiny_run.h"

// `hone submit` as far as it goes without SLURM; with one: tests/distributed/slurm_test.cpp.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;
using test::TinyRun;
using Texts = std::vector<std::string>;

Texts submit(const TinyRun& run, const Texts& more) {
  Texts command = {"submit", run.config};
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

std::string refusal(const TinyRun& run, const Texts& more) {
  Texts command = submit(run, more);
  command.emplace_back("--dry-run");
  const Finished finished = run_hone(command);
  EXPECT_EQ(finished.exit_code, 2) << finished.out;
  EXPECT_EQ(finished.out, "");
  return finished.err;
}

TEST(Submit, PrintsTheScriptAndWritesNothingOnADryRun) {
  const TinyRun run("{method: lora, r: 4}");
  const Finished finished = run_hone(
      submit(run, {"--nodes", "2", "--gpus-per-node", "8", "--time", "4:00:00", "--partition",
                   "gpu", "--setup", "module load cuda", "--dry-run", "optim.learning_rate=2e-4"}));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  for (const char* line :
       {"#!/bin/bash", "#SBATCH --nodes=2", "#SBATCH --ntasks-per-node=8",
        "#SBATCH --gpus-per-node=8", "#SBATCH --time=4:00:00", "#SBATCH --partition=gpu",
        "#SBATCH --signal=USR1@180", "module load cuda", "optim.learning_rate=2e-4", "--device",
        "cuda", "--resume auto", "scontrol requeue"})
    EXPECT_TRUE(contains(finished.out, line));
  EXPECT_TRUE(contains(finished.err, "16 × train.gradient_accumulation_steps 4: 64"));
  EXPECT_FALSE(fs::exists(run.output()));
}

TEST(Submit, RefusesWhatTheJobWouldRefuse) {
  const TinyRun run("{method: lora, r: 4}");
  EXPECT_TRUE(contains(refusal(run, {"train.max_stepz=2"}), "max_stepz"));
  EXPECT_TRUE(contains(refusal(run, {"data.train=absent.jsonl"}), "absent.jsonl"));
  EXPECT_TRUE(contains(refusal(run, {"--array", "adapter.r=4,-1"}), "adapter.r"))
      << "the second run of the sweep";
  EXPECT_TRUE(contains(refusal(run, {"--array", "adapter.r"}), "a.b=v1,v2"));
  EXPECT_TRUE(contains(refusal(run, {"--array", "adapter.r=4,4"}), "twice"));
  EXPECT_TRUE(contains(refusal(run, {"--array", "train.output_dir=a,b"}), "of its own"));
  EXPECT_TRUE(contains(refusal(run, {"--gpus-per-node", "2", "--ntasks-per-node", "4"}),
                       "--gpus-per-node"));
  EXPECT_TRUE(contains(refusal(run, {"--job-name", "a\nb"}), "--job-name"));
  EXPECT_TRUE(contains(refusal(run, {"--account", "a;b"}), "--account"));
  EXPECT_TRUE(contains(refusal(run, {"train.output_dir=" + (run.folder / "a\\b").string()}), "\\"));
}

TEST(Submit, MakesARunOfEachCombinationOfASweep) {
  const TinyRun run("{method: lora, r: 4}");
  const Finished finished =
      run_hone(submit(run, {"--array", "optim.learning_rate=1e-3,1e-4", "--array",
                            "adapter.target_modules=[q_proj,v_proj],[q_proj]", "--array-parallel",
                            "3", "--dry-run", "--json"}));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const json summary = json::parse(finished.out);
  ASSERT_EQ(summary["output_dirs"].size(), 4u);
  EXPECT_EQ(
      summary["output_dirs"][3],
      (run.output() / "003_optim.learning_rate=1e-4_adapter.target_modules=-q_proj-").string());
  const std::string text = summary["text"];
  EXPECT_TRUE(contains(text, "#SBATCH --array=0-3%3\n"));
  EXPECT_TRUE(contains(text,
                       "  0) own=(optim.learning_rate=1e-3 "
                       "'adapter.target_modules=[q_proj,v_proj]' train.output_dir="));
}

/// A folder at the front of the PATH, with an sbatch that does what a test says.
class WithSbatch : public testing::Test {
 protected:
  void SetUp() override { ::setenv("PATH", (folder.path().string() + ":" + path).c_str(), 1); }
  void TearDown() override { ::setenv("PATH", path.c_str(), 1); }
  void write_sbatch(const std::string& body) const {
    fs::permissions(folder.write("sbatch", "#!/bin/sh\n" + body), fs::perms{0755});
  }
  const std::string path = std::getenv("PATH");
  test::TempFolder folder;
};

TEST_F(WithSbatch, KeepsScriptAndConfigBesideTheRunAndSaysHowToFollowIt) {
  write_sbatch("echo 'sbatch: a warning' >&2\necho '42;cluster'\n");
  const TinyRun run("{method: lora, r: 4}");
  const Finished finished = run_hone(submit(run, {}));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(contains(finished.err, "sbatch: a warning"));
  for (const char* part :
       {"job 42", "squeue --job 42", "tail -F ", "-42.log", "hone runs ", "scancel 42", ".sbatch"})
    EXPECT_TRUE(contains(finished.out, part));
  std::size_t scripts = 0, configs = 0;
  for (const auto& entry : fs::directory_iterator(run.output() / "submit")) {
    scripts += entry.path().extension() == ".sbatch" ? 1 : 0;
    if (entry.path().extension() != ".yaml") continue;
    ++configs;
    EXPECT_EQ(read_file(entry.path()), read_file(run.config));
  }
  EXPECT_EQ(scripts, 1u);
  EXPECT_EQ(configs, 1u);
}

TEST_F(WithSbatch, ShowsWhatSbatchSaidWithARemedy) {
  write_sbatch(
      "echo 'sbatch: error: Batch job submission failed: Invalid qos specification' >&2\n"
      "exit 1\n");
  const TinyRun run("{method: lora, r: 4}");
  const Finished finished = run_hone(submit(run, {}));
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_TRUE(contains(finished.err, "Invalid qos specification"));
  EXPECT_TRUE(contains(finished.err, "give --qos"));
}

}  // namespace
}  // namespace hone
