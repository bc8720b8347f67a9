#pragma once

#include <array>
#include <cstddef>

#include "report/metrics_log.h"

namespace hone::dpo {

/// Watches a run for what a falling loss hides. Each alarm is one warning of a run.
class Alarms {
 public:
  static constexpr std::size_t kKinds = 3;

  /// @param metrics of a step, as engine::PairTally names them
  void watch(std::int64_t step, const report::Metrics& metrics, double beta);

 private:
  std::array<double, 5> means_{};  ///< of recent steps: what the alarms look at
  std::int64_t steps_ = 0;
  std::array<bool, kKinds> told_{};
};

}  // namespace hone::dpo
