#pragma once

namespace hone::engine {

/// While it lives, SIGINT and SIGTERM are noted instead of ending the process, so that the step
/// under way can be finished and saved. A second one ends the process at once.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  /// The signal that came, or 0.
  static int received();
};

}  // namespace hone::engine
