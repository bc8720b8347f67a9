#pragma once

#include <cstdint>

#include "optim/options.h"

namespace hone::optim {

/// Learning rate as a pure function of the optimizer step, so that nothing needs to be saved.
/// Counts as transformers' schedules (optimization.py) do: with a warm-up the first step runs at
/// rate 0.
struct Schedule {
  std::string type;  ///< linear, cosine, constant, constant_with_warmup
  double peak = 0;   ///< learning rate at the end of the warm-up
  std::int64_t warmup_steps = 0;
  std::int64_t total_steps = 0;

  /// @param step optimizer steps already done (0 for the first step)
  double at(std::int64_t step) const;
};

/// @param total_steps of the whole run; `warmup_ratio` is taken of it, rounded up
Schedule make_schedule(const ScheduleOptions& options, double learning_rate,
                       std::int64_t total_steps);

}  // namespace hone::optim
