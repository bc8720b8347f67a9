#include "loss/bco.h"

namespace hone::loss {

using torch::Tensor;

void RewardMoments::update(const Tensor& rewards) {
  if (rewards.numel() == 0) return;
  const Tensor wide = rewards.detach().to(torch::kFloat64);
  const double batch_count = double(wide.numel());
  const double batch_mean = wide.mean().item<double>();
  const double batch_squares = (wide - batch_mean).square().sum().item<double>();
  const double total = count + batch_count;
  const double shift = batch_mean - mean;
  variance =
      (batch_squares + variance * count + shift * shift * count * batch_count / total) / total;
  mean += shift * batch_count / total;
  count = total;
}

RowLosses bco_loss(const Tensor& policy_logps, const Tensor& ref_logps, const Tensor& desirable,
                   double beta, double mean_reward) {
  const Tensor rewards = (policy_logps - ref_logps) * beta;
  const Tensor gain = rewards - mean_reward;
  const Tensor losses =
      torch::where(desirable, -torch::log_sigmoid(gain), -torch::log_sigmoid(-gain));
  return {losses, rewards.detach()};
}

}  // namespace hone::loss
