// Whole runs of `hone train` in which a write, a flush or a rename fails: one after another, each
// of them. Whatever it was, the checkpoints that were there stay and are whole, the message names
// the file, and the run goes on to the same bits.
#include <fstream>
#include <sstream>

#include "fault/child.h"
#include "fault/whole_run.h"

namespace hone {
namespace {

namespace fs = std::filesystem;
using test::run_hone;
using test::TinyRun;

const std::vector<std::string> kOptions = {"data.shuffle=true", "train.max_steps=4",
                                           "checkpoint.save_steps=2", "checkpoint.keep_last=1",
                                           "report.html=false"};

/// A line of what the library that makes calls fail writes.
struct Call {
  std::string what, how, path, to;
};

std::vector<Call> read_calls(const fs::path& log) {
  std::vector<Call> calls;
  std::ifstream file(log);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    Call& call = calls.emplace_back();
    words >> call.what >> call.how >> call.path >> call.to;
  }
  return calls;
}

/// The checkpoints that renames which were done put into their places and did not take away again.
std::set<std::int64_t> committed(const std::vector<Call>& calls) {
  std::set<std::int64_t> steps;
  const auto step_of = [](const std::string& path) {
    const std::string name = fs::path(path).filename();
    return name.starts_with("step-") ? std::stoll(name.substr(5)) : 0;
  };
  for (const Call& call : calls) {
    if (call.what != "rename" || call.how != "done") continue;
    if (const auto step = step_of(call.to)) steps.insert(step);
    if (const auto step = step_of(call.path)) steps.erase(step);
  }
  return steps;
}

class FailingCalls : public testing::Test {
 protected:
  FailingCalls() { ::setenv("TMPDIR", test::folder_in_memory().c_str(), 1); }

  /// Trains with the library loaded. @param settings of the library, NAME=value
  static std::vector<Call> train(const TinyRun& run, const std::vector<std::string>& settings,
                                 test::Finished& finished) {
    const fs::path log = run.folder / "calls";
    std::vector<std::string> command = {"env", "LD_PRELOAD=" HONE_FAILING_CALLS,
                                        "HONE_FAIL_UNDER=" + run.output().string(),
                                        "HONE_FAIL_LOG=" + log.string()};
    command.insert(command.end(), settings.begin(), settings.end());
    command.push_back(test::hone_binary());
    const std::vector<std::string> arguments = run.train(kOptions);
    command.insert(command.end(), arguments.begin(), arguments.end());
    finished = test::run_program(command);
    return read_calls(log);
  }

  /// Makes call `at` of a run fail, looks at what is left, and lets the run go on.
  /// @return false where the run has fewer calls
  bool fail_and_go_on(std::size_t at, bool onward) {
    const TinyRun run(kAdapter);
    std::vector<std::string> settings = {"HONE_FAIL_AT=" + std::to_string(at)};
    if (onward) settings.emplace_back("HONE_FAIL_ONWARD=1");
    test::Finished finished;
    const std::vector<Call> calls = train(run, settings, finished);
    if (calls.size() <= at) {
      EXPECT_EQ(finished.exit_code, 0) << finished.err;
      return false;
    }
    const Call& failed = calls[at];
    SCOPED_TRACE(failed.what + " of " + failed.path + ", call " + std::to_string(at));
    EXPECT_EQ(failed.how, "failed");
    EXPECT_EQ(finished.exit_code, 1) << finished.err;
    const bool is_full = failed.what == "write";
    EXPECT_TRUE(test::contains(finished.err, is_full ? "No space left on device" : "Input/output"));
    EXPECT_TRUE(test::contains(finished.err, run.output().string()));
    EXPECT_EQ(test::valid_checkpoints(run), committed(calls));

    const test::Finished resumed = run_hone(test::resume(run, kOptions));
    EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
    if (resumed.exit_code == 0) {
      EXPECT_EQ(test::adapter_of(run), bits_);
      EXPECT_EQ(test::losses_of(run), losses_);
      test::expect_no_leftovers_in(run);
    }
    return true;
  }

  /// Every `stride`-th call. @param both once by itself and once with all that follow it; else the
  /// one and the other by turns
  void fail_in_turn(std::size_t stride, bool both) {
    const TinyRun reference(kAdapter);
    test::Finished finished;
    const std::size_t calls = train(reference, {}, finished).size();
    ASSERT_EQ(finished.exit_code, 0) << finished.err;
    ASSERT_GT(calls, 60u);
    bits_ = test::adapter_of(reference);
    losses_ = test::losses_of(reference);
    bool onward = false;
    for (std::size_t at = 0; at < calls && !HasFailure(); at += stride, onward = !onward) {
      EXPECT_TRUE(fail_and_go_on(at, onward));
      if (both) EXPECT_TRUE(fail_and_go_on(at, !onward));
    }
    RecordProperty("calls", static_cast<int>(calls));
  }

  static constexpr const char* kAdapter = "{method: lora, r: 4, lora_dropout: 0.1}";
  std::string bits_;
  std::vector<double> losses_;
};

// An honest part of it: a stride that shares no factor with the calls of a file or a folder, so
// that each kind of call is met somewhere.
TEST_F(FailingCalls, SomeInTurnLoseNothing) { fail_in_turn(13, /*both=*/false); }

TEST_F(FailingCalls, SlowEachInTurnLosesNothing) { fail_in_turn(1, /*both=*/true); }

}  // namespace
}  // namespace hone
