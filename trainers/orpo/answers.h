#pragma once

#include "distributed/group.h"
#include "engine/document_logps.h"
#include "loss/pairs.h"
#include "report/metrics_log.h"

namespace hone::orpo {

using torch::Tensor;

/// What a model says of the answers of a batch of pairs: P pairs, whose documents are chosen and
/// rejected in turn.
struct AnswerLogps {
  Tensor chosen, rejected;                ///< [P] f32, weighted sums of log-probabilities
  Tensor chosen_tokens, rejected_tokens;  ///< [P] f32, the sums of the weights

  Tensor chosen_mean() const { return chosen / chosen_tokens; }
  Tensor rejected_mean() const { return rejected / rejected_tokens; }
};

/// @param logps_M of the batch's weighted tokens; gradient flows
AnswerLogps answer_logps(const Tensor& logps_M, const engine::DeviceBatch& batch);

/// What is reported of the pairs of a step or an evaluation, as TRL names it: rewards/chosen,
/// rewards/rejected, rewards/accuracies, rewards/margins, logps/chosen, logps/rejected.
class PairTally {
 public:
  void add(const loss::PairLosses& pairs, const AnswerLogps& logps);
  /// Takes in what the other ranks have added.
  void sum_over(const distributed::Group& group);
  /// Means over the pairs.
  report::Metrics metrics() const;

 private:
  double pairs_ = 0;
  double chosen_reward_ = 0, rejected_reward_ = 0, right_ = 0, chosen_logp_ = 0, rejected_logp_ = 0;
};

}  // namespace hone::orpo
