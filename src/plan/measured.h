#pragma once

#include <filesystem>

#include "plan/scale.h"

namespace hone::plan {

/// A run as it went: medians over its steps but the first.
struct MeasuredRun {
  SingleDevice device;
  double mfu = 0;  ///< 0: the run did not say
};

/// @throws DataError where the folder is no run's, has fewer than two steps, or was one of several
///         ranks
MeasuredRun read_measured(const std::filesystem::path& run_folder);

/// The device's time from the whole step's, parted between the passes by their work.
/// @param from in words
SingleDevice device_of_step(const Plan& plan, double step_s, std::string from);

}  // namespace hone::plan
