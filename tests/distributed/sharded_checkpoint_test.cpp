#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "checkpoint/checkpoints.h"
#include "distributed/rank_process.h"

// Checkpoints of runs whose ranks keep parts of what is trained: saved in parts, and good for any
// number of ranks under any strategy.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Finished;
using test::TinyRun;
using Texts = std::vector<std::string>;

constexpr int kSteps = 6;
constexpr int kMicroBatches = 4;  // of a step, over all ranks

bool is_known(const std::string& strategy) {
  return contains(test::run_hone({"explain", "distributed.strategy"}).out, strategy + ":");
}

/// Of a run that keeps everything it saves; the rate is constant, so that a run that ends early has
/// the same one.
Texts overrides_of(const std::string& strategy, int ranks, int steps, const fs::path& output) {
  return {"distributed.strategy=" + strategy,
          fmt::format("train.max_steps={}", steps),
          fmt::format("train.gradient_accumulation_steps={}", kMicroBatches / ranks),
          "schedule.lr_scheduler_type=constant_with_warmup",
          "checkpoint.save_steps=1",
          "checkpoint.keep_last=0",
          "train.output_dir=" + output.string()};
}

std::vector<double> losses_in(const fs::path& run) {
  std::vector<double> losses;
  for (const json& step : test::steps_in(run)) losses.push_back(step["loss"]);
  return losses;
}

int files_of_parts(const fs::path& checkpoint) {
  return static_cast<int>(std::ranges::count_if(
      fs::directory_iterator(checkpoint),
      [](const auto& entry) { return contains(entry.path().filename(), ".rank-"); }));
}

class ShardedRun : public testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  void SetUp() override {
    if (!is_known(strategy())) GTEST_SKIP() << "this build has no strategy " << strategy();
  }
  static std::string strategy() { return std::get<0>(GetParam()); }
  static const char* adapter() { return std::get<1>(GetParam()); }
};

TEST_P(ShardedRun, GoesOnOnAnyNumberOfRanksUnderAnyStrategy) {
  const TinyRun run(adapter());
  const fs::path whole = run.folder / "whole", parts = run.folder / "parts";
  const Finished undisturbed = test::run_hone(run.train(overrides_of("ddp", 1, kSteps, whole)));
  ASSERT_EQ(undisturbed.exit_code, 0) << undisturbed.err;
  struct Leg {
    std::string strategy;
    int ranks, steps;
  };
  for (const Leg& leg : {Leg{strategy(), 4, 2}, Leg{"ddp", 2, 3}, Leg{strategy(), 2, 4},
                         Leg{"ddp", 1, 5}, Leg{strategy(), 4, kSteps}}) {
    Texts more = overrides_of(leg.strategy, leg.ranks, leg.steps, parts);
    more.insert(more.end(), {"--resume", "auto"});
    const Finished finished = test::run_hone(test::launch(run, leg.ranks, more));
    ASSERT_EQ(finished.exit_code, 0) << finished.err;
    const fs::path saved = checkpoint::folder_of_step(parts, leg.steps);
    if (leg.strategy == "ddp" || leg.ranks == 1) {
      EXPECT_EQ(files_of_parts(saved), 0);
    } else {
      EXPECT_GE(files_of_parts(saved), leg.ranks) << "each rank writes what it keeps";
    }
  }
  const std::vector<double> one = losses_in(whole), many = losses_in(parts);
  ASSERT_EQ(one.size(), std::size_t{kSteps});
  ASSERT_EQ(many.size(), one.size());
  for (std::size_t i = 0; i < one.size(); ++i)
    EXPECT_NEAR(many[i], one[i], 1e-6 * std::max(1.0, std::abs(one[i]))) << "step " << i + 1;
  EXPECT_TRUE(fs::exists(parts / "adapter/adapter_model.safetensors") ||
              fs::exists(parts / "model/model.safetensors"))
      << "the product is whole";
}

// The files of rank 1 alone may not grow.
TEST_P(ShardedRun, AFullDiskOnOneRankIsToldByAllAndTheLastStepStaysGood) {
  const TinyRun run(adapter());
  Texts overrides = overrides_of(strategy(), 2, 2, run.output());
  const Finished good = test::run_hone(test::launch(run, 2, overrides));
  ASSERT_EQ(good.exit_code, 0) << good.err;
  overrides[1] = "train.max_steps=20";
  std::string train = test::hone_binary();
  for (const std::string& argument : run.train(overrides)) train += " " + argument;
  const Finished finished = test::run_program(
      {"bash", "-c",
       "export MASTER_ADDR=127.0.0.1 MASTER_PORT=" + std::to_string(20000 + ::getpid() % 2000) +
           " WORLD_SIZE=2; trap '' XFSZ; "
           "(RANK=0 LOCAL_RANK=0 exec " +
           train +
           " --resume auto) & first=$!; "
           "(ulimit -f 1; RANK=1 LOCAL_RANK=1 exec " +
           train +
           " --resume auto); second=$?; "
           "wait $first; echo codes $? $second"});
  EXPECT_TRUE(contains(finished.out, "codes 1 1")) << finished.err;
  EXPECT_TRUE(contains(finished.err, "rank 1: "));
  EXPECT_TRUE(contains(finished.err, "File too large"));
  const auto newest = checkpoint::newest_valid(run.output());
  ASSERT_TRUE(newest);
  EXPECT_EQ(newest->manifest.about["step"], 2);
  for (const auto& entry : fs::directory_iterator(run.output() / "checkpoints"))
    EXPECT_TRUE(entry.path().filename().string().starts_with("step-")) << entry.path();
}

TEST_P(ShardedRun, SlowKilledAtAnyMomentItGoesOnFromTheLastCommittedStep) {
  const TinyRun run(adapter());
  Texts overrides = overrides_of(strategy(), 4, 100000, run.output());
  overrides.emplace_back("--resume");
  overrides.emplace_back("auto");
  std::int64_t before = 0;
  for (int round = 0; round < 6; ++round) {
    const Finished finished = test::run_hone_and_signal(
        test::launch(run, 4, overrides),
        [&] {
          const auto saved = checkpoint::list(run.output());
          if (saved.empty() || saved.back().step < before + 3 + round) return false;
          const auto process = test::process_of(run.output(), round % 4);
          if (process) ::kill(*process, SIGKILL);
          return process.has_value();
        },
        /*signal, to the launcher: none*/ 0);
    EXPECT_EQ(finished.exit_code, 1) << finished.err;
    const auto newest = checkpoint::newest_valid(run.output());
    ASSERT_TRUE(newest);
    const std::int64_t step = newest->manifest.about["step"];
    EXPECT_GT(step, before);
    EXPECT_EQ(step, checkpoint::list(run.output()).back().step) << "what is named is whole";
    before = step;
  }
}

INSTANTIATE_TEST_SUITE_P(Of, ShardedRun,
                         testing::Combine(testing::Values("zero1", "zero2", "fsdp", "hybrid"),
                                          testing::Values("{method: lora, r: 4}",
                                                          "{method: full}")),
                         [](const auto& one) {
                           return fmt::format(
                               "{}{}", std::get<0>(one.param),
                               contains(std::get<1>(one.param), "lora") ? "Lora" : "Full");
                         });

}  // namespace
}  // namespace hone
