#include "trainers/orpo/answers.h"

namespace hone::orpo {

AnswerLogps answer_logps(const Tensor& logps_M, const engine::DeviceBatch& batch) {
  const auto by_pair = [&](const Tensor& values_M) {
    return engine::sums_by_document(values_M, batch).view({-1, 2});
  };
  const Tensor logps = by_pair(logps_M * batch.weights_M), tokens = by_pair(batch.weights_M);
  return {logps.select(1, 0), logps.select(1, 1), tokens.select(1, 0), tokens.select(1, 1)};
}

void PairTally::add(const loss::PairLosses& pairs, const AnswerLogps& logps) {
  const auto sum = [](const Tensor& values) {
    return values.detach().sum(torch::kFloat64).item<double>();
  };
  pairs_ += static_cast<double>(pairs.losses.numel());
  chosen_reward_ += sum(pairs.chosen_rewards);
  rejected_reward_ += sum(pairs.rejected_rewards);
  right_ += sum(pairs.chosen_rewards > pairs.rejected_rewards);
  chosen_logp_ += sum(logps.chosen);
  rejected_logp_ += sum(logps.rejected);
}

report::Metrics PairTally::metrics() const {
  return {{"rewards/chosen", chosen_reward_ / pairs_},
          {"rewards/rejected", rejected_reward_ / pairs_},
          {"rewards/accuracies", right_ / pairs_},
          {"rewards/margins", (chosen_reward_ - rejected_reward_) / pairs_},
          {"logps/chosen", chosen_logp_ / pairs_},
          {"logps/rejected", rejected_logp_ / pairs_}};
}

}  // namespace hone::orpo
