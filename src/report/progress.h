#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace hone::report {

/// What a person wants to see of a run at one step.
struct StepStatus {
  std::int64_t step = 0;  ///< done, counted from 1
  double loss = 0, learning_rate = 0, tokens_per_s = 0;
};

/// "42s", "3m12s", "2h05m", "3d04h".
std::string format_duration(double seconds);

/// One line for a log: "step 120/1000  loss 1.2345  lr 2.00e-04  5123 tokens/s  3m12s left".
std::string format_line(const StepStatus& status, std::int64_t total_steps,
                        std::optional<double> seconds_left);

/// The same with a bar, in at most `columns` columns of a terminal: what does not fit is left out,
/// the bar first, then from the right.
/// @param unicode whether the bar may use block characters
std::string format_status(const StepStatus& status, std::int64_t total_steps,
                          std::optional<double> seconds_left, int columns, bool unicode);

/// Where progress is shown. `terminal()` is stderr; tests bring their own.
struct Screen {
  bool is_interactive = false;
  bool unicode = false;
  std::function<int()> columns;  ///< asked at every redraw: a window may change its size
  std::function<void(std::string_view)> set_status, write_line;
  std::function<double()> now_s;  ///< a clock that never goes back
};

/// stderr through base/log.h; without a status line where a person asked for quiet.
Screen terminal();

/// The progress of a run: on a terminal one line at the bottom, redrawn at most ten times a second;
/// elsewhere a plain line for the first step, the last, and about every ten seconds in between.
class Progress {
 public:
  explicit Progress(std::int64_t total_steps, Screen screen = terminal());
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(const StepStatus& status);

  /// Takes the status line away and leaves a plain line of the last step.
  void finish();

 private:
  void write_line();
  std::optional<double> seconds_left() const;

  std::int64_t total_steps_;
  Screen screen_;
  std::optional<StepStatus> first_, last_;
  double first_s_ = 0;  // when the first step was done: the rate leaves its start-up out
  double shown_s_ = 0;
  std::int64_t written_step_ = -1;
};

}  // namespace hone::report
