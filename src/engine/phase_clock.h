#pragma once

#include <ATen/record_function.h>

#include <array>
#include <chrono>

namespace hone::engine {

/// What the time of a run goes to, once it takes steps. Waiting for rows is counted by the feed.
enum class Phase { kForward, kBackward, kOptimizer, kEvaluation, kCheckpoint };
inline constexpr std::array kPhaseNames = {"forward", "backward", "optimizer", "evaluation",
                                           "checkpoint"};

/// Adds up the time that each phase takes. On a GPU the time of a phase is that of its launches,
/// but for what waits for the device's result.
class PhaseClock {
 public:
  using Seconds = std::array<double, kPhaseNames.size()>;

  /// Counts as long as it lives, and shows in a profile under the phase's name.
  class Span {
   public:
    Span(PhaseClock& clock, Phase phase);
    ~Span();
    Span(const Span&) = delete;
    Span& operator=(const Span&) = delete;

   private:
    double& seconds_;
    std::chrono::steady_clock::time_point begin_;
    at::RecordFunction mark_;
  };

  [[nodiscard]] Span measure(Phase phase) { return {*this, phase}; }

  /// Seconds of each phase since the last call.
  Seconds take();
  /// Since the start, of all that was taken.
  const Seconds& total() const { return total_; }

 private:
  Seconds seconds_{}, total_{};
};

}  // namespace hone::engine
