#include <signal.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "checkpoint/checkpoints.h"
#include "support/text_model.h"
#include "support/tiny_run.h"

// Real runs that are told to end in each of their phases.

namespace hone {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kRunAgain = 75;
constexpr double kAllowed_s = 5;

/// Rows of tokens for the tiny model: so many that what is done with all of them takes seconds.
std::string token_rows(int count) {
  std::string text;
  for (int row = 0; row < count; ++row) {
    text += R"({"input_ids": [)";
    for (int i = 0; i < 24; ++i) text += std::to_string(3 + (row * 7 + i * 13) % 250) + ", ";
    text += "2], \"completion_mask\": [0, 0, 0, 0";
    for (int i = 4; i < 25; ++i) text += ", 1";
    text += "]}\n";
  }
  return text;
}

std::string text_rows(int count) {
  std::string text;
  for (int row = 0; row < count; ++row)
    text += R"({"messages": [{"role": "user", "content": "What is )" + std::to_string(row) +
            R"( plus one, my dear friend? Think of it well before you say anything at all."}, )" +
            R"({"role": "assistant", "content": "It is )" + std::to_string(row + 1) + "\"}]}\n";
  return text;
}

/// Starts the run, and sends the signal as soon as `ready` says that the phase has begun.
void end_in_phase(const std::vector<std::string>& arguments, const std::function<bool()>& ready,
                  int signal) {
  Clock::time_point sent;
  const test::Finished finished = test::run_hone_and_signal(
      arguments,
      [&] {
        sent = Clock::now();
        return ready();
      },
      signal);
  EXPECT_EQ(finished.exit_code, kRunAgain) << finished.err;
  EXPECT_LT(std::chrono::duration<double>(Clock::now() - sent).count(), kAllowed_s);
}

bool has_entry(const fs::path& folder, const std::string& prefix, const std::string& suffix) {
  if (!fs::is_directory(folder)) return false;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix) && name.ends_with(suffix)) return true;
  }
  return false;
}

/// True once metrics.jsonl holds a line.
bool has_taken_a_step(const fs::path& run) {
  std::ifstream file(run / "metrics.jsonl");
  std::string line;
  return static_cast<bool>(std::getline(file, line));
}

std::int64_t newest_step(const fs::path& run) {
  const auto newest = checkpoint::newest_valid(run);
  return newest ? newest->manifest.about["step"].get<std::int64_t>() : 0;
}

class Signalled : public testing::TestWithParam<int> {
 protected:
  test::TinyRun run_{"{method: lora, r: 4}"};
};

TEST_P(Signalled, WhileTokenising) {
  const fs::path model = test::write_text_model(run_.folder, "texts");
  const fs::path cache = run_.folder / "cache";
  const std::string rows = run_.folder.write("rows.jsonl", text_rows(400000)).string();
  end_in_phase(
      run_.train(
          {"model.base=" + model.string(), "data.train=" + rows, "data.cache=" + cache.string()}),
      [&] { return has_entry(cache, "", ".tmp"); }, GetParam());
  EXPECT_FALSE(has_entry(cache, "", ".h5")) << "it was over before the signal came";
  EXPECT_FALSE(has_entry(cache, "", ".tmp")) << "half a cache was left";
}

TEST_P(Signalled, WithinAStepOfManyMicroBatches) {
  const std::string rows = run_.folder.write("rows.jsonl", token_rows(4000)).string();
  end_in_phase(
      run_.train({"data.train=" + rows, "train.per_device_train_batch_size=2",
                  "train.gradient_accumulation_steps=2000", "train.max_steps=5"}),
      [&] { return has_taken_a_step(run_.output()); }, GetParam());
  EXPECT_EQ(newest_step(run_.output()), 1) << "the step under way is left, the one before is kept";
}

TEST_P(Signalled, WithinAnEvaluation) {
  const std::string rows = run_.folder.write("rows.jsonl", token_rows(60000)).string();
  end_in_phase(
      run_.train({"data.eval=" + rows, "eval.eval_steps=1", "eval.tokens_per_device_batch=50",
                  "train.max_steps=5"}),
      [&] { return has_taken_a_step(run_.output()); }, GetParam());
  EXPECT_EQ(newest_step(run_.output()), 1);
}

TEST_P(Signalled, WhileTheSuiteGenerates) {
  const fs::path model = test::write_text_model(run_.folder, "texts");
  const std::string few = run_.folder.write("few.jsonl", text_rows(20)).string();
  const std::string many = run_.folder.write("many.jsonl", text_rows(4000)).string();
  end_in_phase(
      run_.train({"model.base=" + model.string(), "data.train=" + few,
                  "eval.suite=[{name: s, data: '" + many +
                      "', metrics: [exact_match], max_new_tokens: 150}]"}),
      [&] { return fs::exists(run_.output() / "config.resolved.yaml"); }, GetParam());
  EXPECT_EQ(newest_step(run_.output()), 0) << "nothing was trained yet";
}

TEST_P(Signalled, WhileSaving) {
  end_in_phase(
      run_.train({"checkpoint.save_steps=1", "train.max_steps=5000", "checkpoint.keep_last=3"}),
      [&] { return has_entry(run_.output() / "checkpoints", ".step-", ".tmp"); }, GetParam());
  std::ifstream file(run_.output() / "metrics.jsonl");
  const auto lines = std::count(std::istreambuf_iterator<char>(file), {}, '\n');
  EXPECT_EQ(newest_step(run_.output()), lines) << "the last step that was told of is saved";
}

std::string name_of(const testing::TestParamInfo<int>& one) { return sigabbrev_np(one.param); }

INSTANTIATE_TEST_SUITE_P(ASignal, Signalled, testing::Values(SIGTERM), name_of);
// What follows a signal does not depend on which it is; that each is noted is tested elsewhere too.
INSTANTIATE_TEST_SUITE_P(SlowOtherSignals, Signalled, testing::Values(SIGINT, SIGUSR1), name_of);

}  // namespace
}  // namespace hone
