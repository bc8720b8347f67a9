#include "report/progress.h"

#include <fmt/format.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "base/log.h"
#include "support/support.h"

namespace hone::report {
namespace {

constexpr StepStatus kStatus = {
    .step = 120, .loss = 1.23456, .learning_rate = 2e-4, .tokens_per_s = 5123.4};

TEST(FormatDuration, UsesTheTwoLargestUnits) {
  EXPECT_EQ(format_duration(0.4), "0s");
  EXPECT_EQ(format_duration(59.6), "1m00s");
  EXPECT_EQ(format_duration(192), "3m12s");
  EXPECT_EQ(format_duration(7500), "2h05m");
  EXPECT_EQ(format_duration(86400 * 3 + 4 * 3600), "3d04h");
}

TEST(FormatLine, IsPlain) {
  EXPECT_EQ(format_line(kStatus, 1000, 192),
            "step 120/1000  loss 1.2346  lr 2.00e-04  5123 tokens/s  3m12s left");
}

TEST(FormatStatus, ShowsABarWhereThereIsRoom) {
  const std::string line = format_status(kStatus, 240, std::nullopt, 100, true);
  EXPECT_TRUE(test::contains(line, "step 120/240  ███████████████░░░░░░░░░░░░░░░  loss"));
  EXPECT_TRUE(test::contains(format_status(kStatus, 240, std::nullopt, 100, false),
                             "step 120/240  ###############...............  loss"));
}

TEST(FormatStatus, FitsEveryWidthAndNeverCutsACharacter) {
  for (int columns = 0; columns < 140; ++columns) {
    const std::string line = format_status(kStatus, 240, 192, columns, true);
    int width = 0;
    for (std::size_t i = 0; i < line.size(); ++width) {
      const std::size_t bytes = static_cast<unsigned char>(line[i]) == 0xE2 ? 3 : 1;
      ASSERT_LE(i + bytes, line.size()) << columns;
      i += bytes;
    }
    EXPECT_LE(width, columns);
  }
  EXPECT_EQ(format_status(kStatus, 240, 192, 14, true), "step 120/240");
}

/// A screen that keeps what it is told, with a clock that the test sets.
struct Recorder {
  double now_s = 0;
  std::vector<std::string> lines, redraws;

  Screen screen(bool is_interactive) {
    return {.is_interactive = is_interactive,
            .unicode = true,
            .columns = [] { return 80; },
            .set_status = [this](std::string_view text) { redraws.emplace_back(text); },
            .write_line = [this](std::string_view text) { lines.emplace_back(text); },
            .now_s = [this] { return now_s; }};
  }
};

TEST(Progress, ElsewhereWritesTheFirstLineTheLastAndOneEveryTenSeconds) {
  Recorder recorder;
  Progress progress(100, recorder.screen(false));
  for (std::int64_t step = 1; step <= 100; ++step, recorder.now_s += 0.25)
    progress.update({.step = step});
  progress.finish();
  ASSERT_EQ(recorder.lines.size(), 4u);
  EXPECT_TRUE(recorder.lines[0].starts_with("step 1/100"));
  EXPECT_TRUE(recorder.lines[1].starts_with("step 41/100"));
  EXPECT_TRUE(recorder.lines[1].ends_with("  15s left"));
  EXPECT_TRUE(recorder.lines[2].starts_with("step 81/100"));
  EXPECT_TRUE(recorder.lines[3].starts_with("step 100/100"));
  EXPECT_TRUE(recorder.redraws.empty());
}

TEST(Progress, ARunThatStopsEarlyShowsTheStepItReached) {
  Recorder recorder;
  Progress progress(100, recorder.screen(false));
  for (std::int64_t step = 1; step <= 7; ++step) progress.update({.step = step});
  progress.finish();
  ASSERT_EQ(recorder.lines.size(), 2u);
  EXPECT_TRUE(recorder.lines[1].starts_with("step 7/100"));
}

TEST(Progress, OnATerminalRedrawsAtMostTenTimesASecondAndShowsTheLastStep) {
  Recorder recorder;
  {
    Progress progress(1000, recorder.screen(true));
    for (std::int64_t step = 1; step <= 1000; ++step, recorder.now_s += 0.001)
      progress.update({.step = step});
    EXPECT_GE(recorder.redraws.size(), 8u);
    EXPECT_LE(recorder.redraws.size(), 12u);
    EXPECT_TRUE(recorder.redraws.back().starts_with("step 1000/1000"));
    EXPECT_TRUE(recorder.lines.empty());
    progress.finish();
    EXPECT_EQ(recorder.redraws.back(), "");
    ASSERT_EQ(recorder.lines.size(), 1u);
  }
  EXPECT_TRUE(recorder.lines[0].starts_with("step 1000/1000"));
}

TEST(Progress, AResumedRunEstimatesFromItsOwnSteps) {
  Recorder recorder;
  Progress progress(600, recorder.screen(false));
  progress.update({.step = 501});
  recorder.now_s = 20;
  progress.update({.step = 511});
  EXPECT_TRUE(recorder.lines.back().ends_with("  2m58s left"));
}

void run_of_forty_steps() {
  ::setenv("TERM", "xterm", 1);
  ::setenv("LC_ALL", "C.UTF-8", 1);
  Progress progress(40);
  for (std::int64_t step = 1; step <= 40; ++step) {
    progress.update({.step = step, .loss = 1.0, .learning_rate = 1e-4, .tokens_per_s = 10});
    if (step == 20) log::info("a line in between");
    ::usleep(10000);
  }
  progress.finish();
}

/// What such a run writes to stderr in a child, which is on a terminal of 60 columns or not. No
/// test may ask log::is_interactive() before: it remembers its answer.
std::string output_of_run(bool on_terminal) {
  winsize size{.ws_row = 24, .ws_col = 60, .ws_xpixel = 0, .ws_ypixel = 0};
  int fd = -1, pipe_ends[2] = {-1, -1};
  if (!on_terminal && ::pipe(pipe_ends) != 0) return {};
  const pid_t pid = on_terminal ? ::forkpty(&fd, nullptr, nullptr, &size) : ::fork();
  if (pid == 0) {
    if (!on_terminal) ::dup2(pipe_ends[1], STDERR_FILENO);
    run_of_forty_steps();
    ::_exit(0);
  }
  if (!on_terminal) {
    ::close(pipe_ends[1]);
    fd = pipe_ends[0];
  }
  std::string output;
  char buffer[4096];
  for (ssize_t n; (n = ::read(fd, buffer, sizeof buffer)) > 0;)
    output.append(buffer, static_cast<std::size_t>(n));
  ::close(fd);
  int state = 0;
  ::waitpid(pid, &state, 0);
  EXPECT_TRUE(WIFEXITED(state) && WEXITSTATUS(state) == 0);
  return output;
}

TEST(ProgressOfARun, OnATerminalRedrawsOneLineThatFits) {
  const std::string output = output_of_run(true);
  int redraws = 0, columns = 0;
  for (std::size_t i = 0; i < output.size(); ++i) {
    if (output[i] == '\r' || output[i] == '\n') {
      columns = 0;
    } else if (output.compare(i, 4, "\x1b[2K") == 0) {
      ++redraws;
      i += 3;
    } else if ((static_cast<unsigned char>(output[i]) & 0xC0) != 0x80) {
      ASSERT_LT(++columns, 60) << output;
    }
  }
  EXPECT_GE(redraws, 4);
  EXPECT_LE(redraws, 12);
  EXPECT_TRUE(test::contains(output, "█"));
  EXPECT_TRUE(test::contains(output, "a line in between\r\n"));
  EXPECT_TRUE(output.ends_with("step 40/40  loss 1.0000  lr 1.00e-04  10 tokens/s\r\n")) << output;
}

TEST(ProgressOfARun, ElsewhereIsPlainLines) {
  const std::string output = output_of_run(false);
  EXPECT_EQ(output,
            "step 1/40  loss 1.0000  lr 1.00e-04  10 tokens/s\n"
            "a line in between\n"
            "step 40/40  loss 1.0000  lr 1.00e-04  10 tokens/s\n");
}

}  // namespace
}  // namespace hone::report
