#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "optim/options.h"

namespace hone::optim {

struct Schedule;

/// A way for the learning rate to go: a choice of `schedule.lr_scheduler_type`.
struct ScheduleShape {
  std::string name;
  std::string help;
  std::vector<std::string> reads;  ///< the keys of `schedule` that only some shapes read
  /// The rate after `step` steps, as a share of the peak.
  double (*factor)(const Schedule& schedule, double step);
};

/// The table of schedules: those of transformers that are functions of the step alone.
const std::vector<ScheduleShape>& schedule_shapes();

/// Dips of the learning rate at regular restarts of what is trained.
/// @source Axolotl's JaggedLRRestartScheduler
struct Restarts {
  std::int64_t every = 0;         ///< steps; 0: there are none
  std::int64_t warmup_steps = 0;  ///< after each
  std::int64_t anneal_steps = 0;  ///< before each
  /// Share of the schedule's rate after `step` steps, from 0.001 up.
  double factor(std::int64_t step) const;
};

/// Learning rate as a pure function of the optimizer step, so that nothing needs to be saved.
/// Counts as transformers' schedules (optimization.py) do: with a warm-up the first step runs at
/// rate 0.
struct Schedule {
  ScheduleOptions options;  ///< their ratios are resolved below
  double peak = 0;          ///< learning rate at the end of the warm-up
  std::int64_t warmup_steps = 0;
  std::int64_t decay_steps = 0;  ///< of warmup_stable_decay
  std::int64_t total_steps = 0;
  Restarts restarts = {};

  /// @param step optimizer steps already done (0 for the first step)
  double at(std::int64_t step) const;
};

/// @param total_steps of the whole run; ratios are taken of it, rounded up
/// @throws ConfigError where the schedule would end above the learning rate that it starts from
Schedule make_schedule(const ScheduleOptions& options, double learning_rate,
                       std::int64_t total_steps);

}  // namespace hone::optim
