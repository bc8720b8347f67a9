#include "loss/cpo.h"

#include "base/error.h"

namespace hone::loss {

using torch::Tensor;

bool cpo_averages(const std::string& loss_type) {
  return loss_type == "simpo" || loss_type == "ipo";
}

PairLosses cpo_loss(const Tensor& chosen, const Tensor& rejected, const CpoSettings& settings) {
  const double beta = settings.beta;
  const auto reward = [&](const Tensor& logps) {
    if (settings.alpha == 0) return logps;
    return (1.0 - torch::exp(-settings.alpha * logps)) / settings.alpha;
  };
  const Tensor chosen_reward = reward(chosen), rejected_reward = reward(rejected);
  const Tensor difference = chosen_reward - rejected_reward;
  const auto smoothed = [&](const Tensor& x) {
    return -torch::log_sigmoid(x) * (1.0 - settings.label_smoothing) -
           torch::log_sigmoid(-x) * settings.label_smoothing;
  };
  Tensor losses;
  if (settings.loss_type == "sigmoid") {
    losses = smoothed(difference * beta);
  } else if (settings.loss_type == "simpo") {
    losses = smoothed(difference * beta - settings.simpo_gamma);
  } else if (settings.loss_type == "hinge") {
    losses = torch::relu(1.0 - difference * beta);
  } else {
    HONE_CHECK(ConfigError, settings.loss_type == "ipo",
               "loss_type: '{}' is unknown; expected sigmoid, hinge, ipo or simpo",
               settings.loss_type);
    losses = (difference - 1.0 / (2.0 * beta)).square();
  }
  return {losses, chosen_reward.detach() * beta, rejected_reward.detach() * beta};
}

}  // namespace hone::loss
