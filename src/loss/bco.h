#pragma once

#include "loss/kto.h"

namespace hone::loss {

/// Running mean and variance of all rewards so far, from which BCO measures a reward. The three
/// numbers are its whole state.
struct RewardMoments {
  double mean = 0;
  double variance = 1;  ///< of the population
  double count = 0;

  /// Takes in a batch's rewards: the moments of the union of what was seen and these.
  void update(const torch::Tensor& rewards);
};

/// Binary classifier optimisation: good rows above the running mean of rewards, bad ones below it.
/// @param policy_logps, ref_logps [N] f32, sums over response tokens; gradient flows to the
/// policy's
/// @param desirable [N] bool
/// @param mean_reward of all rewards so far, these rows' included: RewardMoments::mean
/// @source arXiv:2404.04656, eq. 8
RowLosses bco_loss(const torch::Tensor& policy_logps, const torch::Tensor& ref_logps,
                   const torch::Tensor& desirable, double beta, double mean_reward);

}  // namespace hone::loss
