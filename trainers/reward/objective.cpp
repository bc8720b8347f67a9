#include "trainers/reward/objective.h"

#include <algorithm>

#include "base/error.h"
#include "loss/reward.h"

namespace hone::reward {
namespace {

std::int64_t rows_of(const datasets::Batch& batch) { return batch.rows(); }
std::int64_t values_of(const datasets::Batch& batch) { return std::ssize(batch.values); }

std::int64_t one_margin(std::int64_t, std::int64_t) { return 1; }
std::int64_t one_an_output(std::int64_t, std::int64_t outputs) { return outputs; }
std::int64_t one_a_step(std::int64_t trained_tokens, std::int64_t) { return trained_tokens; }

/// A whole answer is judged at its last token.
Tensor last_tokens(const engine::DeviceBatch& batch) { return batch.ends_D; }

/// A step is judged at its last token, which is the one that carries weight.
Tensor step_ends(const engine::DeviceBatch& batch) { return batch.rows_M + 1; }

Tensor bradley_terry(const Tensor& outputs_MA, const Tensor& values,
                     const engine::RewardOptions& options) {
  const Tensor rewards = outputs_MA.view({-1, 2});
  return loss::bradley_terry_loss(rewards.select(1, 0), rewards.select(1, 1), values,
                                  options.center_rewards_coefficient);
}

Tensor regression(const Tensor& outputs_MA, const Tensor& values, const engine::RewardOptions&) {
  return loss::score_regression_loss(outputs_MA, values.view_as(outputs_MA));
}

Tensor stepwise(const Tensor& outputs_MA, const Tensor& values, const engine::RewardOptions&) {
  return loss::step_label_loss(outputs_MA.squeeze(1), values);
}

constexpr Objective kObjectives[] = {
    {"bradley_terry", "pairs of a chosen and a rejected answer", 2, 1, one_margin, rows_of,
     last_tokens, bradley_terry, pair_metrics, pair_evaluation},
    {"regression", "answers with a score", 1, 0, one_an_output, rows_of, last_tokens, regression,
     score_metrics, score_evaluation},
    {"stepwise", "solutions with a label for each step", 1, 1, one_a_step, values_of, step_ends,
     stepwise, step_metrics, step_evaluation},
};

}  // namespace

const Objective& objective_named(std::string_view name) {
  const auto found = std::ranges::find(kObjectives, name, &Objective::name);
  HONE_CHECK(ConfigError, found != std::end(kObjectives), "reward.loss_type: there is no '{}'",
             name);
  return *found;
}

}  // namespace hone::reward
