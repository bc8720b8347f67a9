#pragma once

#include <cstdint>
#include <string>

#include "config/table.h"

namespace hone::optim {

/// Section `optim`. Meanings, ranges and defaults stand in its table (options.cpp).
struct OptimOptions {
  std::string name;
  double learning_rate;
  double weight_decay;
  double adam_beta1;
  double adam_beta2;
  double adam_epsilon;

  static const config::Table<OptimOptions>& table();
};

/// Section `schedule`.
struct ScheduleOptions {
  std::string lr_scheduler_type;
  std::int64_t warmup_steps;
  double warmup_ratio;

  static const config::Table<ScheduleOptions>& table();
};

}  // namespace hone::optim
