#pragma once

#include "loss/pairs.h"

namespace hone::loss {

/// ORPO's part that compares: −β · log σ(log odds of the chosen − log odds of the rejected). The
/// whole loss adds the chosen answer's negative log-likelihood.
/// @param chosen, rejected [P] f32, log-probabilities averaged over response tokens, ≤ 0; gradient
///        flows
/// @param beta λ of the paper
/// @return rewards: β · average log-probability
/// @source arXiv:2403.07691, eq. 7
PairLosses odds_ratio_loss(const torch::Tensor& chosen, const torch::Tensor& rejected, double beta);

/// log(1 − e^x) for x < 0, without cancellation; x above −1e-7 counts as that.
torch::Tensor log1mexp(const torch::Tensor& x);

}  // namespace hone::loss
