#pragma once

#include <string>
#include <vector>

#include "report/history.h"

namespace hone::report {

/// What a run's curves say, and what may help.
struct Diagnosis {
  const char* name;  ///< "overfitting"
  std::string what;  ///< with the figures that it was seen by
  const char* advice;
};

/// A run of fewer steps says too little.
inline constexpr std::size_t kLeastSteps = 40;

/// Looks at the curves as METHODS.md advises: a loss that goes up and down (the learning rate is
/// too high), that falls slowly and steadily to the end (too low), an evaluation loss that turns up
/// while the training loss falls (too many epochs), a loss that hardly falls at all. The loss is
/// looked at in twenty stretches of equal length, each by its median, without those of the warm-up.
/// @return empty where nothing is to be said
std::vector<Diagnosis> diagnose(const RunHistory& run);

}  // namespace hone::report
