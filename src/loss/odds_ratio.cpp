#include "loss/odds_ratio.h"

#include <numbers>

namespace hone::loss {

using torch::Tensor;

Tensor log1mexp(const Tensor& x) {
  constexpr double kClosestToZero = -1e-7;
  const Tensor y = x.clamp_max(kClosestToZero);
  // Each form is given only what it is exact for, so that neither spoils the other's gradient.
  const double border = -std::numbers::ln2;
  const Tensor low = torch::log1p(-torch::exp(y.clamp_max(border)));
  const Tensor high = torch::log(-torch::expm1(y.clamp_min(border)));
  return torch::where(y < border, low, high);
}

PairLosses odds_ratio_loss(const Tensor& chosen, const Tensor& rejected, double beta) {
  const Tensor log_odds = (chosen - rejected) - (log1mexp(chosen) - log1mexp(rejected));
  return {-beta * torch::log_sigmoid(log_odds), chosen.detach() * beta, rejected.detach() * beta};
}

}  // namespace hone::loss
