#pragma once

#include <string>

#include "loss/pairs.h"

namespace hone::loss {

/// How Kahneman–Tversky optimisation weighs a row. Names as TRL's KTOConfig has them.
struct KtoSettings {
  std::string loss_type = "kto";  ///< kto, apo_zero_unpaired
  double beta = 0.1;
  double desirable_weight = 1, undesirable_weight = 1;
};

/// The losses and rewards of rows that are each good or bad by themselves.
struct RowLosses {
  torch::Tensor losses;   ///< [N] f32; a step's loss is their mean; gradient flows
  torch::Tensor rewards;  ///< [N] f32, β · log π/ref, detached
};

/// The baseline of KTO: how far the policy has moved on answers that belong to other prompts, at
/// least 0. Averaged over what it is given: a micro-batch, or (kl_scope: step) the whole step.
/// @param policy_logps, ref_logps [K] f32, sums over the mismatched response's tokens
/// @return scalar f32, detached
torch::Tensor kto_baseline(const torch::Tensor& policy_logps, const torch::Tensor& ref_logps);

/// @param policy_logps, ref_logps [N] f32, sums over response tokens; gradient flows to the
/// policy's
/// @param desirable [N] bool
/// @param baseline scalar f32 of kto_baseline; apo_zero_unpaired does not read it
/// @throws ConfigError for an unknown loss_type
/// @source arXiv:2402.01306, eq. 8; apo_zero_unpaired: arXiv:2408.06266, eq. 7 by row
RowLosses kto_loss(const torch::Tensor& policy_logps, const torch::Tensor& ref_logps,
                   const torch::Tensor& desirable, const torch::Tensor& baseline,
                   const KtoSettings& settings);

}  // namespace hone::loss
