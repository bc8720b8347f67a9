#include "loss/cross_entropy.h"

#include "base/error.h"

namespace hone::loss {

torch::Tensor weighted_nll(const torch::Tensor& logps_M, const torch::Tensor& weights_M,
                           double total_weight) {
  HONE_CHECK(ShapeError, logps_M.dim() == 1 && logps_M.sizes() == weights_M.sizes(),
             "log-probabilities and weights should be of one length, are {} and {}",
             logps_M.numel(), weights_M.numel());
  HONE_CHECK(ShapeError, total_weight >= 0, "the total weight {} is negative", total_weight);
  if (total_weight == 0) return (logps_M * 0).sum();
  return -(logps_M * weights_M).sum() / total_weight;
}

torch::Tensor smoothed_nll(const torch::Tensor& logps_M, const torch::Tensor& logsumexp_M,
                           const torch::Tensor& mean_logit_M, const torch::Tensor& weights_M,
                           double total_weight, double epsilon) {
  HONE_CHECK(ShapeError, epsilon >= 0 && epsilon <= 1, "label smoothing is {}, not in [0, 1]",
             epsilon);
  const torch::Tensor mean_logp = mean_logit_M - logsumexp_M;
  return weighted_nll((1 - epsilon) * logps_M + epsilon * mean_logp, weights_M, total_weight);
}

torch::Tensor z_loss(const torch::Tensor& logsumexp_M, const torch::Tensor& weights_M,
                     double total_weight) {
  return weighted_nll(-logsumexp_M.square(), weights_M, total_weight);
}

torch::Tensor dft_weights(const torch::Tensor& logps_M, const torch::Tensor& weights_M) {
  return weights_M * torch::exp(logps_M.detach());
}

}  // namespace hone::loss
