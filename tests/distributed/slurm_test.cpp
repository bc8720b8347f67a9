#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include "base/file.h"
#include "checkpoint/checkpoints.h"
#include "distributed/rank_process.h"
#include "distributed/slurm_cluster.h"

// Jobs that `hone submit` hands to a real SLURM, which the test starts on this machine.

namespace hone {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::Finished;
using test::TinyRun;
using Clock = std::chrono::steady_clock;
using Texts = std::vector<std::string>;
using namespace std::chrono_literals;

class Slurm : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string obstacle = test::SlurmCluster::obstacle(); !obstacle.empty())
      GTEST_SKIP() << obstacle;
    cluster.emplace();
  }

  /// Two ranks, one on each node. The nodes' names are in no resolver.
  static Texts submit(const TinyRun& run, const Texts& more) {
    Texts command = {"submit",
                     run.config,
                     "--json",
                     "--nodes",
                     "2",
                     "--setup",
                     "export MASTER_ADDR=127.0.0.1",
                     "train.gradient_accumulation_steps=2"};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }

  /// What `hone submit --json` says.
  static nlohmann::json submitted(const TinyRun& run, const Texts& more) {
    const Finished finished = test::run_hone(submit(run, more));
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return nlohmann::json::parse(finished.out);
  }

  /// Everything in the folder of jobs: scripts and logs.
  static std::string jobs_of(const TinyRun& run) {
    std::string all;
    if (fs::exists(run.output() / "submit"))
      for (const auto& entry : fs::directory_iterator(run.output() / "submit"))
        all += fmt::format("--- {}\n{}\n", entry.path().string(), read_file(entry.path()));
    return all;
  }

  static std::string weights_in(const fs::path& folder) {
    return read_file(folder / "adapter/adapter_model.safetensors");
  }

  std::optional<test::SlurmCluster> cluster;
};

/// How many steps two ranks take in that time on this machine.
int steps_within(double seconds) {
  const TinyRun run("{method: lora, r: 4, lora_dropout: 0.1}");
  const Finished finished = test::run_hone(
      test::launch(run, 2, {"train.max_steps=300", "train.gradient_accumulation_steps=2"}));
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  double taken_s = 0;
  for (const auto& step : test::steps_in(run.output())) taken_s += step["time_s"].get<double>();
  return std::max(300, static_cast<int>(seconds * 300 / taken_s));
}

TEST_F(Slurm, SlowASignalledJobIsRequeuedAndEndsWithTheSameWeights) {
  const TinyRun run("{method: lora, r: 4, lora_dropout: 0.1}");
  // SLURM looks at time limits every 30 s, and no limit is below a minute.
  const int count = steps_within(45);
  const Texts steps = {fmt::format("train.max_steps={}", count), "checkpoint.save_steps=100000"};
  Texts options = {"--time", "1", "--signal-before", "58", "--max-requeues", "9"};
  options.insert(options.end(), steps.begin(), steps.end());
  const std::string job = submitted(run, options)["job"];

  Texts undisturbed = steps;
  const fs::path other = run.folder / "undisturbed";
  undisturbed.insert(undisturbed.end(),
                     {"train.gradient_accumulation_steps=2", "train.output_dir=" + other.string()});
  const Finished alone = test::run_hone(test::launch(run, 2, undisturbed));
  ASSERT_EQ(alone.exit_code, 0) << alone.err;

  ASSERT_EQ(cluster->wait_for_end(job, 400), "COMPLETED") << jobs_of(run) << cluster->logs();
  const std::string told = jobs_of(run);
  EXPECT_GE(std::stoi(cluster->job(job)["Restarts"]), 1) << told;
  EXPECT_TRUE(contains(told, "stopped by a signal after step"));
  EXPECT_TRUE(contains(told, "saved; back into the queue"));
  EXPECT_TRUE(contains(told, "resume  after step"));
  EXPECT_EQ(std::ssize(test::steps_in(run.output())), count);
  EXPECT_EQ(weights_in(run.output()), weights_in(other));
}

TEST_F(Slurm, SlowAKilledRankEndsTheJobWhichGoesOnWhenSubmittedAgain) {
  const TinyRun run("{method: lora, r: 4}");
  const Texts steps = {"train.max_steps=1500", "checkpoint.save_steps=100"};
  const std::string job = submitted(run, steps)["job"];
  const auto begin = Clock::now();
  std::optional<pid_t> killed;
  while (!killed && Clock::now() - begin < 60s) {
    if (!checkpoint::list(run.output()).empty())
      killed = test::process_of(run.output(), 1, "SLURM_PROCID");
    std::this_thread::sleep_for(10ms);
  }
  ASSERT_TRUE(killed) << jobs_of(run);
  ::kill(*killed, SIGKILL);
  const auto sent = Clock::now();
  while (test::process_of(run.output(), 0, "SLURM_PROCID") && Clock::now() - sent < 60s)
    std::this_thread::sleep_for(50ms);
  EXPECT_LT(Clock::now() - sent, 10s);

  EXPECT_EQ(cluster->wait_for_end(job, 60), "FAILED") << jobs_of(run);
  EXPECT_EQ(cluster->job(job)["Restarts"], "0");
  const std::int64_t saved = checkpoint::list(run.output()).back().step;

  const std::string again = submitted(run, steps)["job"];
  EXPECT_EQ(cluster->wait_for_end(again, 120), "COMPLETED") << jobs_of(run);
  EXPECT_TRUE(contains(jobs_of(run), fmt::format("resume  after step {}", saved)));
  EXPECT_EQ(test::steps_in(run.output()).size(), 1500u);
}

TEST_F(Slurm, SlowASweepIsAnArrayOfRunsWithFoldersOfTheirOwn) {
  const TinyRun run("{method: lora, r: 4}");
  const nlohmann::json summary =
      submitted(run, {"train.max_steps=2", "--array", "optim.learning_rate=1e-3,1e-4", "--array",
                      "adapter.r=2,4", "--array-parallel", "2"});
  const std::string job = summary["job"];
  ASSERT_EQ(summary["output_dirs"].size(), 4u);
  for (int task = 0; task < 4; ++task)
    EXPECT_EQ(cluster->wait_for_end(fmt::format("{}_{}", job, task), 120), "COMPLETED")
        << jobs_of(run);
  const char* rates[] = {"0.001", "0.001", "0.0001", "0.0001"};
  for (std::size_t i = 0; i < 4; ++i) {
    const fs::path folder = summary["output_dirs"][i].get<std::string>();
    EXPECT_EQ(test::steps_in(folder).size(), 2u);
    const std::string config = read_file(folder / "config.resolved.yaml");
    EXPECT_TRUE(contains(config, fmt::format("learning_rate: {}", rates[i])));
    EXPECT_TRUE(contains(config, fmt::format("  r: {}\n", i % 2 == 0 ? 2 : 4)));
  }
}

TEST_F(Slurm, SlowAJobThatCannotRunFailsOnce) {
  const TinyRun run("{method: lora, r: 4}");
  const fs::path rows = run.folder / "rows.jsonl";
  fs::copy_file(test::fixture("train/data/sft.jsonl"), rows);
  const std::string job = submitted(run, {"data.train=" + rows.string(), "--setup",
                                          "rm -f " + rows.string(), "--max-restarts", "3"})["job"];
  EXPECT_EQ(cluster->wait_for_end(job, 60), "FAILED") << jobs_of(run);
  EXPECT_EQ(cluster->job(job)["ExitCode"], "2:0");
  EXPECT_EQ(cluster->job(job)["Restarts"], "0");
  EXPECT_TRUE(contains(jobs_of(run), "rows.jsonl"));
}

TEST_F(Slurm, SlowACancelledJobStaysCancelled) {
  const TinyRun run("{method: lora, r: 4}");
  const std::string job =
      submitted(run, {"train.max_steps=100000", "checkpoint.save_steps=100"})["job"];
  const auto begin = Clock::now();
  while (checkpoint::list(run.output()).empty() && Clock::now() - begin < 60s)
    std::this_thread::sleep_for(50ms);
  EXPECT_EQ(test::run_program({"scancel", job}).exit_code, 0);
  EXPECT_EQ(cluster->wait_for_end(job, 60), "CANCELLED") << jobs_of(run);
  std::this_thread::sleep_for(8s);  // longer than a requeued job waits
  EXPECT_EQ(cluster->job(job)["JobState"], "CANCELLED");
}

TEST_F(Slurm, SlowARefusalOfSbatchComesWithARemedy) {
  const TinyRun run("{method: lora, r: 4}");
  const Finished finished = test::run_hone(submit(run, {"--partition", "absent"}));
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_TRUE(contains(finished.err, "invalid partition"));
  EXPECT_TRUE(contains(finished.err, "`sinfo` lists the partitions"));
}

}  // namespace
}  // namespace hone
