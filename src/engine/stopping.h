#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "eval/options.h"
#include "report/metrics_log.h"

namespace hone::engine {

/// Follows the metric that eval.metric_for_best_model names over a run's evaluations: which was the
/// best, and whether it has stopped getting better.
/// @source transformers' Trainer and EarlyStoppingCallback: the best one is the best to the last
///         bit, while patience is counted from the last gain of more than the threshold over it
class Stopping {
 public:
  /// @param is_needed whether anything depends on the best one, early stopping aside
  Stopping(const eval::EvalOptions& options, bool is_needed);

  /// @return whether this evaluation is the best so far
  /// @throws ConfigError where the metric is needed and none of `metrics`, naming those
  bool note(std::int64_t step, const report::Metrics& metrics);

  /// True once patience has run out.
  bool is_due() const { return options_.early_stopping_patience > 0 && has_run_out(); }
  std::optional<std::int64_t> best_step() const { return best_step_; }
  double best_value() const { return best_value_; }
  /// eval_…, as metrics.jsonl has it.
  const std::string& metric() const { return metric_; }

  nlohmann::json state() const;
  void restore(const nlohmann::json& state);

 private:
  bool has_run_out() const { return without_gain_ >= options_.early_stopping_patience; }

  eval::EvalOptions options_;
  std::string metric_;
  bool greater_is_better_, is_needed_;
  std::optional<std::int64_t> best_step_;
  double best_value_ = 0;
  std::int64_t without_gain_ = 0;  // evaluations running
};

}  // namespace hone::engine
