#include "trainers/orpo/answers.h"

#include <array>

#include "distributed/exchange.h"

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

void PairTally::sum_over(const distributed::Group& group) {
  std::array sums = {pairs_, chosen_reward_, rejected_reward_,
                     right_, chosen_logp_,   rejected_logp_};
  distributed::sum_numbers(group, sums, "the pairs' metrics");
  pairs_ = sums[0];
  chosen_reward_ = sums[1];
  rejected_reward_ = sums[2];
  right_ = sums[3];
  chosen_logp_ = sums[4];
  rejected_logp_ = sums[5];
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
