#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/table.h"

namespace hone::optim {

/// One item of `optim.groups`.
struct GroupOptions {
  std::string pattern;
  std::optional<double> learning_rate;
  std::optional<double> weight_decay;

  static const config::Table<GroupOptions>& table();
};

/// Section `optim`. Meanings, ranges and defaults stand in its table (options.cpp); which optimizer
/// reads which of them, in the table of optimizers (method.cpp).
struct OptimOptions {
  std::string name;
  double learning_rate;
  double weight_decay;
  std::vector<GroupOptions> groups;
  std::optional<double> loraplus_lr_ratio;
  double ema_decay;
  bool step_in_backward;

  double adam_beta1;
  double adam_beta2;
  double adam_epsilon;
  bool amsgrad;
  double momentum;
  double dampening;
  bool nesterov;
  double adagrad_lr_decay;
  double adagrad_epsilon;
  double rmsprop_alpha;
  double rmsprop_epsilon;
  bool rmsprop_centered;
  bool adafactor_scale_parameter;
  bool adafactor_relative_step;
  bool adafactor_warmup_init;
  double adafactor_clip_threshold;
  double adafactor_decay_rate;
  std::optional<double> adafactor_beta1;
  std::optional<double> adafactor_eps1;
  double adafactor_eps2;
  double muon_momentum;
  bool muon_nesterov;
  std::int64_t muon_ns_steps;
  std::string muon_adjust_lr_fn;
  std::int64_t min_8bit_size;
  std::int64_t galore_rank;
  std::int64_t galore_update_proj_gap;
  double galore_scale;

  static const config::Table<OptimOptions>& table();
};

/// Section `schedule`. Which shape reads which of them stands in the table of shapes
/// (schedule.cpp).
struct ScheduleOptions {
  std::string lr_scheduler_type;
  std::int64_t warmup_steps;
  double warmup_ratio;

  std::optional<double> num_cycles;
  std::optional<double> min_lr;
  std::optional<double> min_lr_rate;
  std::optional<double> warmup_lr_rate;
  double lr_end;
  double power;
  std::optional<std::int64_t> timescale;
  std::optional<std::int64_t> num_stable_steps;
  std::int64_t num_decay_steps;
  double decay_ratio;
  std::string warmup_type;
  std::string decay_type;
  double min_lr_ratio;

  static const config::Table<ScheduleOptions>& table();
};

}  // namespace hone::optim
