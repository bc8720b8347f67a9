#pragma once

#include <cstdint>
#include <deque>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "config/table.h"

namespace hone::engine {

/// Section `guard`. Meanings, ranges and defaults stand in its table (guard.cpp).
struct GuardOptions {
  std::string on_non_finite;
  std::string on_spike;
  std::int64_t window;
  double spike_zscore;
  std::int64_t max_in_a_row;

  bool rolls_back() const { return on_non_finite == "rollback" || on_spike == "rollback"; }

  static const config::Table<GuardOptions>& table();
};

/// How far `value` lies above the median of `earlier`, in standard deviations as the median
/// absolute deviation gives them (1.4826 · MAD), which a few outliers among `earlier` do not move.
/// Where `earlier` hardly vary, 5 % of their median is taken for a standard deviation.
/// @pre `earlier` is not empty and finite
/// @source Iglewicz and Hoaglin, "How to Detect and Handle Outliers" (1993)
double robust_z_score(double value, std::vector<double> earlier);

/// What becomes of a step whose gradient has been computed and has not reached a weight yet.
enum class Verdict { kUpdate, kSkip, kRollBack };

/// Looks at every step before its update: at NaN and infinity, and at a loss or gradient norm that
/// leaps above what the last steps had. What it knows is part of the run's state, so that a resumed
/// run judges as the run that never stopped.
class Guard {
 public:
  /// @param updates_early whether weights are updated before all of a gradient is known
  explicit Guard(const GuardOptions& options, bool updates_early = false)
      : options_(options), updates_early_(updates_early) {}

  /// @param step from 1
  /// @throws Error where the options say stop, and where more than max_in_a_row steps running were
  ///         not fit to be used: then it is not the rows
  Verdict judge(std::int64_t step, double loss, double grad_norm);

  /// The robust z-score of a step's loss or gradient norm, the greater of the two; 0 where too few
  /// steps are known. The last step judged.
  double last_zscore() const { return last_zscore_; }
  /// The steps that changed no weight, in order.
  const std::vector<std::int64_t>& skipped() const { return skipped_; }

  nlohmann::json state() const;
  /// @throws nlohmann::json::exception where it is not what state() gave
  void restore(const nlohmann::json& state);

 private:
  /// A row of steps that were used.
  using Window = std::deque<double>;

  double zscore_of(double loss, double grad_norm) const;
  void remember(double loss, double grad_norm);
  [[noreturn]] void stop(std::int64_t step, const std::string& finding, bool is_harmed) const;

  GuardOptions options_;
  bool updates_early_;
  Window losses_, grad_norms_;
  std::vector<std::int64_t> skipped_;
  std::int64_t in_a_row_ = 0;
  double last_zscore_ = 0;
};

}  // namespace hone::engine
