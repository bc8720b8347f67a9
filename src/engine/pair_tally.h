#pragma once

#include <array>
#include <string>

#include "distributed/group.h"
#include "loss/pairs.h"
#include "report/metrics_log.h"

namespace hone::engine {

/// What is reported of pairs, as TRL names it: sums over them, so that a step's or an evaluation's
/// means are over all of its pairs.
class PairTally {
 public:
  static constexpr std::size_t kMetricCount = 9;

  /// @param logps under the policy; the reference's and the tokens of the answers are undefined
  ///        where the method has no reference, then and in every call
  void add(const loss::PairLogps& logps, const loss::PairLosses& losses);
  /// Takes in what the other ranks have added.
  void sum_over(const distributed::Group& group);

  /// rewards/chosen, rewards/rejected, rewards/margins, rewards/accuracies, logps/chosen,
  /// logps/rejected; with a reference also kl (nats an answer, on the data's answers), drift (mean
  /// |log π/ref| a token) and margin_per_token.
  report::Metrics metrics(const std::string& prefix = "") const;

 private:
  double pairs_ = 0, compared_ = 0;  ///< all, and those with a reference
  std::array<double, kMetricCount> sums_ = {};
};

}  // namespace hone::engine
