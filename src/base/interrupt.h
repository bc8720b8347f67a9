#pragma once

#include "base/error.h"

namespace hone {

/// A signal has asked this process to end: whatever is under way is left, and who can save does.
class Interrupted : public Error {
 public:
  using Error::Error;
  ExitCode exit_code() const noexcept override { return ExitCode::kRunAgain; }
};

/// While it lives, SIGINT, SIGTERM and SIGUSR1 (which schedulers send ahead of time) are noted
/// instead of ending the process. The second one of a kind ends it at once. One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
};

/// While it lives, leave_if_interrupted() lets everything go on: for what has to be done whole, as
/// a step that several processes take together. The signal is still noted, and left for afterwards.
class InterruptHold {
 public:
  InterruptHold();
  ~InterruptHold();
  InterruptHold(const InterruptHold&) = delete;
  InterruptHold& operator=(const InterruptHold&) = delete;
};

/// The signal that came while an InterruptGuard lives, or 0.
int interrupt_requested();

/// What lasts calls this every now and then, at least ten times a second and where it can be left.
/// It costs a read of memory. @throws Interrupted where a signal came
void leave_if_interrupted();

}  // namespace hone
