#pragma once

#include <torch/types.h>

namespace hone::loss {

/// Log-probabilities of the two answers of P pairs: sums over the response's tokens, in nats.
/// Gradient flows through the policy's.
struct PairLogps {
  torch::Tensor chosen, rejected;  ///< [P] f32, under the policy
  /// [P] f32, under the reference; undefined where the method has none
  torch::Tensor ref_chosen = {}, ref_rejected = {};
  /// [P] f32, response tokens of each answer, ≥ 1; undefined where the method does not ask
  torch::Tensor chosen_tokens = {}, rejected_tokens = {};
  /// [P] f32, by how much the chosen answer's reward is to be the higher one; undefined: 0
  torch::Tensor margins = {};
};

/// What a preference loss says of each pair. A step's loss is the mean of `losses` over its pairs.
struct PairLosses {
  torch::Tensor losses;                            ///< [P] f32; gradient flows
  torch::Tensor chosen_rewards, rejected_rewards;  ///< [P] f32, detached
};

}  // namespace hone::loss
