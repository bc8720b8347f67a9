#pragma once

#include <string>
#include <vector>

#include "loss/pairs.h"

namespace hone::loss {

/// How direct preference optimisation weighs a pair. Names as TRL's DPOConfig has them.
struct DpoSettings {
  std::vector<std::string> loss_type = {"sigmoid"};
  std::vector<double> loss_weights = {};  ///< one a loss type; empty: 1 each
  double beta = 0.1;
  double label_smoothing = 0;  ///< share of pairs taken to be labelled the wrong way round
  std::string f_divergence_type = "reverse_kl";
  double f_alpha_divergence_coef = 0.5;
  double discopop_tau = 0.05;
  double reward_shift = 0;  ///< bco_pair: what a reward is measured from
  /// sft: chosen tokens over pairs of the whole optimizer step, of which these pairs are a part; 0:
  /// they are all.
  double mean_chosen_tokens = 0;
};

/// What an entry of the table of losses sees of a batch of pairs.
struct DpoTerms {
  const PairLogps& logps;
  const DpoSettings& settings;
  torch::Tensor chosen_ratio, rejected_ratio;  ///< [P] log π/ref
  torch::Tensor chosen_score, rejected_score;  ///< [P] the ratios as the f-divergence sees them
  torch::Tensor margin;  ///< [P] β · (chosen_score − rejected_score), above the pair's own margin
};

struct DpoLossType {
  std::string name;
  torch::Tensor (*losses)(const DpoTerms& terms);  ///< [P]
};

/// The table of losses: sigmoid, hinge, ipo, …
const std::vector<DpoLossType>& dpo_loss_types();

/// The names of f_divergence_type.
const std::vector<std::string>& f_divergence_types();

/// The weighted sum of the chosen losses, and β · log π/ref as rewards. RPO is {sigmoid, sft} with
/// its α as the second weight.
/// A pair's own margin (arXiv:2402.10571) is heeded by the losses of one difference: sigmoid,
/// hinge, robust, exo_pair, discopop.
/// @throws ConfigError for a name that is not in a table, or weights that do not match the types
/// @source arXiv:2305.18290, eq. 7; the family as TRL's DPOTrainer computes it, except that sigmoid
///         heeds label_smoothing (the conservative form, arXiv:2305.18290 appendix)
PairLosses dpo_loss(const PairLogps& logps, const DpoSettings& settings);

/// Weights of response tokens for length-desensitised DPO: 1 up to the length of the pair's shorter
/// answer, ld_alpha beyond it.
/// @param chosen_tokens, rejected_tokens response tokens of each pair's answers
/// @return [Σ (chosen + rejected)] f32: pair by pair, chosen before rejected
/// @source arXiv:2409.06411
torch::Tensor length_desensitised_weights(const std::vector<std::int64_t>& chosen_tokens,
                                          const std::vector<std::int64_t>& rejected_tokens,
                                          double ld_alpha);

/// Weights of pairs for WPO: how likely the policy is to give both answers, each token against the
/// policy's own expected log-probability. To be multiplied with the losses; no gradient.
/// @param chosen, rejected [P] mean over response tokens of logp − log Σ p²
/// @source arXiv:2406.11827, eq. 2 with its sampled alignment
torch::Tensor wpo_weights(const torch::Tensor& chosen, const torch::Tensor& rejected);

}  // namespace hone::loss
