#include "loss/reward.h"

namespace hone::loss {

using torch::Tensor;

Tensor bradley_terry_loss(const Tensor& chosen, const Tensor& rejected,
                          const std::optional<Tensor>& margin, double center_coefficient) {
  const Tensor difference = margin ? chosen - rejected - *margin : chosen - rejected;
  const Tensor losses = -torch::log_sigmoid(difference);
  if (center_coefficient == 0) return losses;
  return losses + center_coefficient * (chosen + rejected).square();
}

Tensor score_regression_loss(const Tensor& outputs, const Tensor& scores) {
  const Tensor is_there = scores.isnan().logical_not();
  // What is not there is taken for the output itself, so that it adds neither loss nor gradient.
  const Tensor errors = (outputs - torch::where(is_there, scores, outputs.detach())).square();
  return torch::where(is_there, errors, 0.0).sum(1) / is_there.sum(1).clamp_min(1);
}

Tensor step_label_loss(const Tensor& logits, const Tensor& labels) {
  return -(labels * torch::log_sigmoid(logits) + (1 - labels) * torch::log_sigmoid(-logits));
}

}  // namespace hone::loss
