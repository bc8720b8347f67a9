#include <signal.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <thread>

#include "base/file.h"
#include "io/json.h"
#include "support/tiny_run.h"

// Runs that are ended in the middle, really, and go on.

namespace hone {
namespace {

namespace fs = std::filesystem;
using test::run_hone;
using test::TinyRun;

constexpr const char* kAdapter = "{method: lora, r: 4, lora_dropout: 0.1}";
const std::vector<std::string> kOptions = {"data.shuffle=true", "train.max_steps=150",
                                           "checkpoint.save_steps=3"};

std::string adapter_of(const TinyRun& run) {
  return read_file(run.output() / "adapter" / "adapter_model.safetensors");
}

std::vector<std::string> resume(const TinyRun& run, const std::vector<std::string>& options = {}) {
  std::vector<std::string> more = kOptions;
  more.insert(more.end(), options.begin(), options.end());
  more.insert(more.end(), {"--resume", "auto"});
  return run.train(more);
}

std::size_t lines_of(const TinyRun& run) {
  std::ifstream file(run.output() / "metrics.jsonl");
  return static_cast<std::size_t>(
      std::count(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>(), '\n'));
}

/// True once the run has done so many steps.
std::function<bool()> after_steps(const TinyRun& run, std::size_t steps) {
  return [&run, steps] { return lines_of(run) >= steps; };
}

/// The losses of metrics.jsonl; a line for each step, once.
std::vector<double> losses_of(const TinyRun& run) {
  std::vector<double> losses;
  for (const auto& line : test::read_jsonl(run.output() / "metrics.jsonl")) {
    EXPECT_EQ(line["step"], losses.size() + 1);
    losses.push_back(line["loss"]);
  }
  return losses;
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
  }

  static std::unique_ptr<TinyRun> reference_;
};

std::unique_ptr<TinyRun> Interrupted::reference_;

// In epochs 1 to 8, with dropout and shuffling: bit for bit what the run that was left alone gives,
// though its rows come out of a cache, which the first kill may find half made.
TEST_F(Interrupted, KilledAtRandomMomentsEndsWithTheSameBits) {
  std::mt19937 random(20261121);
  const TinyRun run(kAdapter);
  const std::string cache = "data.cache=" + (run.folder / "cache").string();
  int kills = 0;
  test::Finished finished;
  for (int attempt = 0; attempt < 5; ++attempt) {
    // Some steps further than it got before, and then anywhere inside a step or a save.
    const std::size_t lines = lines_of(run) + 1 + random() % 25;
    const std::chrono::microseconds more(random() % 20000);
    finished = test::run_hone_and_signal(
        resume(run, {cache}),
        [&] {
          if (lines_of(run) < lines) return false;
          std::this_thread::sleep_for(more);
          return true;
        },
        SIGKILL);
    if (finished.exit_code != -SIGKILL) break;
    ++kills;
  }
  EXPECT_GT(kills, 0);
  if (finished.exit_code != 0) finished = run_hone(resume(run, {cache}));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  expect_same_end(run);
}

TEST_F(Interrupted, ASignalSavesAndAsksToBeRunAgain) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const TinyRun run(kAdapter);
    const test::Finished stopped =
        test::run_hone_and_signal(run.train(kOptions), after_steps(run, 80), signal);
    ASSERT_EQ(stopped.exit_code, 75) << stopped.err;
    EXPECT_EQ(io::read_json(run.output() / "run.json")["status"], "stopped");
    const test::Finished finished = run_hone(resume(run));
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

  const test::Finished finished = run_hone(resume(run));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(test::contains(finished.err, newest.filename().string()));
  expect_same_end(run);
}

TEST_F(Interrupted, OtherSettingsAreRefusedByName) {
  std::vector<std::string> arguments = resume(*reference_);
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
