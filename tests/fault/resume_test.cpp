#include <signal.h>

#include <algorithm>
#include <random>
#include <thread>

#include "base/file.h"
#include "fault/whole_run.h"
#include "io/json.h"

// Runs that are ended in the middle, really, and go on.

namespace hone {
namespace {

namespace fs = std::filesystem;
using test::adapter_of;
using test::lines_of;
using test::losses_of;
using test::resume;
using test::run_hone;
using test::TinyRun;

constexpr const char* kAdapter = "{method: lora, r: 4, lora_dropout: 0.1}";
const std::vector<std::string> kOptions = {"data.shuffle=true", "train.max_steps=150",
                                           "checkpoint.save_steps=3"};

/// True once the run has done so many steps.
std::function<bool()> after_steps(const TinyRun& run, std::size_t steps) {
  return [&run, steps] { return lines_of(run) >= steps; };
}

class Interrupted : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    reference_ = std::make_unique<TinyRun>(kAdapter);
    ASSERT_EQ(run_hone(reference_->train(kOptions)).exit_code, 0);
  }
  static void TearDownTestSuite() { reference_.reset(); }

  static void expect_same_end(const TinyRun& run) {
    EXPECT_EQ(adapter_of(run), adapter_of(*reference_));
    EXPECT_EQ(losses_of(run), losses_of(*reference_));
    test::expect_no_leftovers_in(run);
  }

  static void kill_at_random_moments(int kills);

  static std::unique_ptr<TinyRun> reference_;
};

std::unique_ptr<TinyRun> Interrupted::reference_;

// In epochs 1 to 8, with dropout and shuffling, and rows that come out of a cache, which a kill may
// find half made: whenever the kill comes, what was saved is whole and stays, and the run ends bit
// for bit as the one that was left alone.
void Interrupted::kill_at_random_moments(int kills) {
  std::mt19937 random(20261121);
  auto run = std::make_unique<TinyRun>(kAdapter);
  std::int64_t saved = 0;
  int saved_between = 0, ended = 0;
  while (kills > 0) {
    std::vector<std::string> options = kOptions;
    options.push_back("data.cache=" + (run->folder / "cache").string());
    // At any moment of its first half second, or some steps further and then anywhere inside a step
    // or a save: without the second it would hardly get on.
    const std::chrono::microseconds pause(random() % (kills % 2 == 0 ? 500000 : 20000));
    const std::size_t lines = kills % 2 == 0 ? 0 : lines_of(*run) + 1 + random() % 25;
    const test::Finished finished = test::run_hone_and_signal(
        resume(*run, options),
        [&] {
          if (lines_of(*run) < lines) return false;
          std::this_thread::sleep_for(pause);
          return true;
        },
        SIGKILL);
    const std::set<std::int64_t> steps = test::valid_checkpoints(*run);
    const std::int64_t newest = steps.empty() ? 0 : *steps.rbegin();
    ASSERT_GE(newest, saved) << "a saved step was lost";
    saved_between += newest > saved;
    saved = newest;
    if (finished.exit_code == -SIGKILL) {
      --kills;
      continue;
    }
    ASSERT_EQ(finished.exit_code, 0) << finished.err;
    expect_same_end(*run);
    ++ended;
    run = std::make_unique<TinyRun>(kAdapter);
    saved = 0;
  }
  const test::Finished finished = run_hone(resume(*run, kOptions));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  expect_same_end(*run);
  EXPECT_GT(saved_between, 0) << "the kills came too early to mean anything";
  RecordProperty("runs_ended", ended + 1);
}

TEST_F(Interrupted, KilledAtRandomMomentsEndsWithTheSameBits) { kill_at_random_moments(8); }

TEST_F(Interrupted, SlowKilledTwoHundredTimesEndsWithTheSameBits) { kill_at_random_moments(200); }

TEST_F(Interrupted, ASignalSavesAndAsksToBeRunAgain) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const TinyRun run(kAdapter);
    const test::Finished stopped =
        test::run_hone_and_signal(run.train(kOptions), after_steps(run, 80), signal);
    ASSERT_EQ(stopped.exit_code, 75) << stopped.err;
    EXPECT_EQ(io::read_json(run.output() / "run.json")["status"], "stopped");
    const test::Finished finished = run_hone(resume(run, kOptions));
    ASSERT_EQ(finished.exit_code, 0) << finished.err;
    expect_same_end(run);
  }
}

TEST_F(Interrupted, ADamagedCheckpointIsPassedOverAndNamed) {
  const TinyRun run(kAdapter);
  std::vector<std::string> part = kOptions;
  part.push_back("checkpoint.keep_last=3");
  ASSERT_EQ(test::run_hone_and_signal(run.train(part), after_steps(run, 80), SIGTERM).exit_code,
            75);
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(run.output() / "checkpoints"))
    folders.push_back(entry.path());
  ASSERT_GE(folders.size(), 2u);
  const auto step_of = [](const fs::path& folder) {
    return std::stoi(folder.filename().string().substr(5));
  };
  const fs::path newest = *std::max_element(
      folders.begin(), folders.end(),
      [&](const fs::path& a, const fs::path& b) { return step_of(a) < step_of(b); });
  std::string bytes = read_file(newest / "trainable.safetensors");
  bytes[bytes.size() / 2] = char(bytes[bytes.size() / 2] ^ 1);
  write_file_atomically(newest / "trainable.safetensors", bytes);

  const test::Finished finished = run_hone(resume(run, kOptions));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(test::contains(finished.err, newest.filename().string()));
  expect_same_end(run);
}

TEST_F(Interrupted, OtherSettingsAreRefusedByName) {
  std::vector<std::string> arguments = resume(*reference_, kOptions);
  arguments.push_back("train.gradient_accumulation_steps=2");
  const test::Finished finished = run_hone(arguments);
  EXPECT_NE(finished.exit_code, 0);
  EXPECT_TRUE(test::contains(finished.err, "train.gradient_accumulation_steps: then 4, now 2"));
}

TEST_F(Interrupted, WithoutResumeARunIsNotOverwritten) {
  const std::string before = adapter_of(*reference_);
  const test::Finished finished = run_hone(reference_->train(kOptions));
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(test::contains(finished.err, "--resume auto"));
  EXPECT_EQ(adapter_of(*reference_), before);
}

}  // namespace
}  // namespace hone
