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

torch::Tensor dft_weights(const torch::Tensor& logps_M, const torch::Tensor& weights_M) {
  return weights_M * torch::exp(logps_M.detach());
}

}  // namespace hone::loss
