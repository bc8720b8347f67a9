#include "engine/phase_clock.h"

#include <utility>

namespace hone::engine {

PhaseClock::Span::Span(PhaseClock& clock, Phase phase)
    : seconds_(clock.seconds_[static_cast<std::size_t>(phase)]),
      begin_(std::chrono::steady_clock::now()),
      mark_(at::RecordScope::USER_SCOPE) {
  if (mark_.isActive()) mark_.before(kPhaseNames[static_cast<std::size_t>(phase)]);
}

PhaseClock::Span::~Span() {
  seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
}

PhaseClock::Seconds PhaseClock::take() {
  for (std::size_t i = 0; i < seconds_.size(); ++i) total_[i] += seconds_[i];
  return std::exchange(seconds_, {});
}

}  // namespace hone::engine
