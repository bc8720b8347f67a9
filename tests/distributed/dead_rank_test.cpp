#include <fmt/format.h>
#include <signal.h>

#include <chrono>

#include "checkpoint/checkpoints.h"
#include "distributed/rank_process.h"

// Ranks of real runs that are killed, stopped or signalled in the middle.

namespace hone {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::Finished;
using test::TinyRun;
using Clock = std::chrono::steady_clock;
using Texts = std::vector<std::string>;

constexpr double kAllowed_s = 10;

/// Runs `arguments`, and sends a signal to one rank once some steps are done.
/// @param seconds from then to the end
Finished run_and_signal_rank(const TinyRun& run, const Texts& arguments, int rank, int signal,
                             double& seconds) {
  std::optional<Clock::time_point> sent;
  const Finished finished = test::run_hone_and_signal(
      arguments,
      [&] {
        if (checkpoint::list(run.output()).empty()) return false;
        const auto process = test::process_of(run.output(), rank);
        if (!process) return false;
        ::kill(*process, signal);
        sent = Clock::now();
        return true;
      },
      /*signal, to the launcher: none*/ 0);
  EXPECT_TRUE(sent) << "it was over before: " << finished.err;
  if (sent) seconds = std::chrono::duration<double>(Clock::now() - *sent).count();
  return finished;
}

Texts long_run() {
  return {"train.max_steps=100000", "train.gradient_accumulation_steps=1",
          "checkpoint.save_steps=2"};
}

std::int64_t newest_step(const fs::path& run) {
  const auto newest = checkpoint::newest_valid(run);
  return newest ? newest->manifest.about["step"].get<std::int64_t>() : 0;
}

class KilledRank : public testing::TestWithParam<int> {};

TEST_P(KilledRank, IsNamedByAllAndEndsTheRun) {
  const TinyRun run("{method: lora, r: 4}");
  const int killed = GetParam();
  double seconds = 0;
  const Finished finished =
      run_and_signal_rank(run, test::launch(run, 4, long_run()), killed, SIGKILL, seconds);
  EXPECT_LT(seconds, kAllowed_s);
  EXPECT_EQ(finished.exit_code, 1) << finished.err;
  EXPECT_TRUE(contains(finished.err, fmt::format("rank {} was ended by signal 9", killed)));
  // The survivors say so themselves, as they would without a launcher.
  for (int rank = 0; rank < 4; ++rank)
    if (rank != killed) {
      EXPECT_TRUE(contains(finished.err, fmt::format("[{0}] error: rank {0} of 4: ", rank)));
    }
  const std::string what =
      killed == 0 ? "rank 0 is gone" : fmt::format("rank {} gave no sign", killed);
  EXPECT_TRUE(contains(finished.err, what));
  EXPECT_GE(newest_step(run.output()), 2) << "the last checkpoint stays good";
}

INSTANTIATE_TEST_SUITE_P(Of4, KilledRank, testing::Values(0, 2));

TEST(StoppedRank, SlowIsNoticedWhileItsConnectionsStand) {
  const TinyRun run("{method: lora, r: 4}");
  double seconds = 0;
  const Finished finished =
      run_and_signal_rank(run, test::launch(run, 3, long_run()), 1, SIGSTOP, seconds);
  EXPECT_EQ(finished.exit_code, 1) << finished.err;
  EXPECT_TRUE(contains(finished.err, "rank 1 gave no sign of life"));
  EXPECT_TRUE(contains(finished.err, "[0] error: rank 0 of 3: ")) << "before the launcher ends it";
}

TEST(Launch, StartsAgainFromTheLastCheckpoint) {
  const TinyRun run("{method: lora, r: 4}");
  Texts overrides = long_run();
  overrides[0] = "train.max_steps=60";
  double seconds = 0;
  const Finished finished = run_and_signal_rank(
      run, test::launch(run, 2, overrides, {"--max-restarts", "1"}), 1, SIGKILL, seconds);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(contains(finished.err, "restart 1 of 1"));
  EXPECT_TRUE(contains(finished.err, "resume  after step"));
  const auto steps = test::steps_in(run.output());
  ASSERT_EQ(steps.size(), 60u);
  for (std::size_t i = 0; i < steps.size(); ++i) EXPECT_EQ(steps[i]["step"], i + 1);
}

TEST(SignalledRank, EndsAllAfterTheSameStep) {
  const TinyRun run("{method: lora, r: 4}");
  double seconds = 0;
  const Finished finished =
      run_and_signal_rank(run, test::launch(run, 3, long_run()), 1, SIGTERM, seconds);
  EXPECT_EQ(finished.exit_code, 75) << finished.err;
  EXPECT_LT(seconds, kAllowed_s);
  EXPECT_FALSE(contains(finished.err, "error"));
  EXPECT_EQ(newest_step(run.output()), std::ssize(test::steps_in(run.output())))
      << "the last step that was told of is saved";
}

TEST(Launch, ForwardsASignalToAll) {
  const TinyRun run("{method: lora, r: 4}");
  const Finished finished = test::run_hone_and_signal(
      test::launch(run, 2, long_run()), [&] { return !checkpoint::list(run.output()).empty(); },
      SIGTERM);
  EXPECT_EQ(finished.exit_code, 75) << finished.err;
  EXPECT_EQ(newest_step(run.output()), std::ssize(test::steps_in(run.output())));
}

}  // namespace
}  // namespace hone
