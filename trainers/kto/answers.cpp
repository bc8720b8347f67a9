#include "trainers/kto/answers.h"

#include <array>

#include "base/error.h"
#include "distributed/exchange.h"

namespace hone::kto {

Tensor labels_of(const datasets::Batch& batch, torch::Device device) {
  HONE_ASSERT(std::ssize(batch.values) == batch.rows(), "{} labels of {} rows", batch.values.size(),
              batch.rows());
  return torch::tensor(batch.values, torch::kFloat32).gt(0).to(device);
}

void AnswerTally::add(const Tensor& policy, const Tensor& desirable,
                      const loss::RowLosses& losses) {
  const torch::NoGradGuard no_grad;
  const auto sum = [](const Tensor& values) { return values.sum(torch::kFloat64).item<double>(); };
  const auto add_to = [&](Side& side, const Tensor& is_of_side) {
    const Tensor share = is_of_side.to(torch::kFloat32);
    side.answers += sum(share);
    side.rewards += sum(losses.rewards * share);
    side.logps += sum(policy * share);
  };
  add_to(chosen_, desirable);
  add_to(rejected_, desirable.logical_not());
}

void AnswerTally::sum_over(const distributed::Group& group) {
  std::array sums = {chosen_.answers,   chosen_.rewards,   chosen_.logps,
                     rejected_.answers, rejected_.rewards, rejected_.logps};
  distributed::sum_numbers(group, sums, "the answers' metrics");
  chosen_ = {sums[0], sums[1], sums[2]};
  rejected_ = {sums[3], sums[4], sums[5]};
}

report::Metrics AnswerTally::metrics(const std::string& prefix) const {
  report::Metrics metrics;
  const auto add = [&](const std::string& side_name, const Side& side) {
    if (side.answers == 0) return;
    metrics.emplace_back(prefix + "rewards/" + side_name, side.rewards / side.answers);
    metrics.emplace_back(prefix + "logps/" + side_name, side.logps / side.answers);
  };
  add("chosen", chosen_);
  add("rejected", rejected_);
  if (chosen_.answers > 0 && rejected_.answers > 0)
    metrics.emplace_back(prefix + "rewards/margins",
                         chosen_.rewards / chosen_.answers - rejected_.rewards / rejected_.answers);
  return metrics;
}

}  // namespace hone::kto
