#pragma once

#include <string>

#include "loss/pairs.h"

namespace hone::loss {

/// Contrastive preference optimisation and what grew from it: no reference model. Names as TRL's
/// CPOConfig has them.
struct CpoSettings {
  std::string loss_type = "sigmoid";  ///< sigmoid, hinge, ipo, simpo
  double beta = 0.1;
  double label_smoothing = 0;
  double simpo_gamma = 0.5;  ///< simpo: margin that the chosen answer should have
  double alpha = 0;  ///< AlphaPO: above 0, rewards are (1 − p^−α) / α instead of log p
};

/// True where the losses compare log-probabilities averaged over the response, not summed.
bool cpo_averages(const std::string& loss_type);

/// The part that compares; CPO adds cpo_alpha times the chosen answer's negative log-likelihood.
/// @param chosen, rejected [P] f32, log-probabilities, summed or averaged as cpo_averages says;
///        gradient flows
/// @throws ConfigError for an unknown loss_type
/// @source arXiv:2401.08417, eq. 3; SimPO arXiv:2405.14734, eq. 6; AlphaPO arXiv:2501.03884
PairLosses cpo_loss(const torch::Tensor& chosen, const torch::Tensor& rejected,
                    const CpoSettings& settings);

}  // namespace hone::loss
