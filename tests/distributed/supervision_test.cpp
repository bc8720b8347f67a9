#include <fmt/format.h>
#include <signal.h>

#include <chrono>
#include <future>
#include <sstream>
#include <thread>

#include "base/file_lock.h"
#include "checkpoint/checkpoints.h"
#include "distributed/rank_process.h"

// What `hone launch` does for its ranks, and what they wait for without it.

namespace hone {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::Finished;
using test::TinyRun;
using Clock = std::chrono::steady_clock;
using Texts = std::vector<std::string>;
using namespace std::chrono_literals;

TEST(Supervision, PutsEachLineBehindItsWritersRank) {
  const TinyRun run("{method: lora, r: 4}");
  const Finished finished = test::run_hone(
      test::launch(run, 2, {"train.max_steps=2", "train.gradient_accumulation_steps=2"}));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  std::istringstream lines(finished.err);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count)
    EXPECT_TRUE(line.starts_with("[0] ") || line.starts_with("[1] ")) << line;
  EXPECT_GT(count, 2u);
}

TEST(Supervision, StartsARankForEachGpuWhereTheirNumberIsAuto) {
  const TinyRun run("{method: lora, r: 4}");
  const auto told = [&](const std::string& gpus) {
    const Finished finished = test::run_program(
        {"env", "CUDA_VISIBLE_DEVICES=" + gpus, test::hone_binary(), "launch", "--nproc", "auto",
         "--", "train", run.config, "train.max_steps=2", "train.overwrite_output_dir=true"});
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return finished.err;
  };
  EXPECT_TRUE(contains(told("0,1,2"), "ranks   3"));
  EXPECT_FALSE(contains(told(""), "ranks"));
  const Finished wrong = test::run_hone({"launch", "--nproc", "many", "--", "train", run.config});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_TRUE(contains(wrong.err, "--nproc many: expected 1 to 1024, or auto"));
}

TEST(Supervision, EndsARankThatHearsNoSignal) {
  const TinyRun run("{method: lora, r: 4}");
  std::optional<pid_t> deaf;
  std::optional<Clock::time_point> sent;
  const Finished finished = test::run_hone_and_signal(
      test::launch(run, 2,
                   {"train.max_steps=1000000", "train.gradient_accumulation_steps=2",
                    "checkpoint.save_steps=20"}),
      [&] {
        if (checkpoint::list(run.output()).empty()) return false;
        deaf = test::process_of(run.output(), 1);
        if (!deaf) return false;
        ::kill(*deaf, SIGSTOP);
        sent = Clock::now();
        return true;
      },
      SIGTERM);
  ASSERT_TRUE(sent) << finished.err;
  EXPECT_LT(Clock::now() - *sent, 20s) << "10 s to notice, 7 s to hear, then it is killed";
  EXPECT_EQ(finished.exit_code, 1) << finished.err;
  EXPECT_TRUE(contains(finished.err, "rank 1 gave no sign of life"));
  EXPECT_NE(::kill(*deaf, 0), 0) << "nobody is left behind";
  EXPECT_TRUE(checkpoint::newest_valid(run.output()));
}

TEST(Supervision, RestartsFromTheNewestCheckpointWhateverTheStartWentOnFrom) {
  const TinyRun run("{method: lora, r: 4}");
  const Texts overrides = {"train.gradient_accumulation_steps=2", "checkpoint.save_steps=2",
                           "checkpoint.keep_last=0"};
  Texts first = overrides, rest = overrides;
  first.emplace_back("train.max_steps=2");
  const Finished begun = test::run_hone(test::launch(run, 2, first));
  ASSERT_EQ(begun.exit_code, 0) << begun.err;
  const auto begin = checkpoint::newest_valid(run.output());
  ASSERT_TRUE(begin);
  rest.insert(rest.end(), {"train.max_steps=60", "--resume", begin->folder.string()});
  bool is_killed = false;
  const Finished finished = test::run_hone_and_signal(
      test::launch(run, 2, rest, {"--max-restarts", "1"}),
      [&] {
        const auto saved = checkpoint::list(run.output());
        if (saved.empty() || saved.back().step < 6) return false;
        const auto process = test::process_of(run.output(), 1);
        if (process) ::kill(*process, SIGKILL);
        return is_killed = process.has_value();
      },
      /*signal, to the launcher: none*/ 0);
  ASSERT_TRUE(is_killed) << finished.err;
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  const std::size_t again = finished.err.find("restart 1 of 1");
  ASSERT_NE(again, std::string::npos) << finished.err;
  EXPECT_TRUE(contains(finished.err.substr(again), "resume  after step"));
  EXPECT_FALSE(contains(finished.err.substr(again), "resume  after step 2 from"));
}

TEST(TokenCache, IsAwaitedLongerThanAnyCollectiveMayTake) {
  const TinyRun run("{method: lora, r: 4}");
  const std::string cache = (run.folder / "cache").string();
  const nlohmann::json built =
      test::rows_of(test::run_hone({"data", "build", run.config, "--cache", cache, "--json"}))
          .front();
  const fs::path path = built["path"].get<std::string>();
  fs::remove(path);
  // As a process would that takes long to tokenise.
  std::optional<FileLock> maker = FileLock::take(fs::path(path).replace_extension(".lock"));
  auto ranks = std::async(std::launch::async, [&] {
    return test::run_hone(test::launch(
        run, 2,
        {"data.cache=" + cache, "train.max_steps=2", "train.gradient_accumulation_steps=2",
         "distributed.timeout_s=2", "distributed.first_step_timeout_s=6"}));
  });
  EXPECT_EQ(ranks.wait_for(10s), std::future_status::timeout) << "they wait";
  maker.reset();
  const Finished finished = ranks.get();
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(contains(finished.err, "another process is making the token cache"));
  EXPECT_TRUE(fs::exists(path)) << "one of them made it";
}

}  // namespace
}  // namespace hone
