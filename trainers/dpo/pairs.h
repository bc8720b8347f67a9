#pragma once

#include <vector>

#include "distributed/group.h"
#include "engine/document_logps.h"
#include "loss/pairs.h"
#include "report/metrics_log.h"

namespace hone::dpo {

using torch::Tensor;

// Axes: D documents of a batch, P pairs, D = 2 P: chosen, rejected, chosen, …

/// Log-probabilities of a batch's pairs, with what the loss needs to know of them besides.
/// @param policy_D, reference_D as response_logps and Reference::logps give them
loss::PairLogps pair_logps(const Tensor& policy_D, const Tensor& reference_D,
                           const engine::DeviceBatch& batch);

/// Pairs of several batches as one.
loss::PairLogps joined(const std::vector<loss::PairLogps>& parts);

/// Chosen answers' tokens over pairs.
double mean_chosen_tokens(const std::vector<datasets::Batch>& micro_batches);

/// Sums over pairs, so that a step's or an evaluation's means are over all of its pairs.
class PairTally {
 public:
  void add(const loss::PairLogps& logps, const loss::PairLosses& losses);
  /// Takes in what the other ranks have added.
  void sum_over(const distributed::Group& group);

  double pairs() const { return pairs_; }
  /// rewards/chosen, rewards/rejected, rewards/margins, rewards/accuracies, logps/chosen,
  /// logps/rejected, kl (nats an answer, on the data's answers), drift (mean |log π/ref| a token),
  /// margin_per_token.
  report::Metrics metrics(const std::string& prefix = "") const;

 private:
  double pairs_ = 0;
  std::vector<double> sums_;
};

}  // namespace hone::dpo
