#pragma once

#include <torch/types.h>

namespace hone::loss {

/// The part of a step's cross-entropy that these tokens make up: −Σ weight · logp / total_weight.
/// `total_weight` is that of the whole optimizer step, over all micro-batches and ranks, so that
/// the parts add up to one mean, however the step is cut (METHODS.md, normalisation).
/// @param logps_M   [M] f32, log-probabilities of the target tokens; gradient flows through
/// @param weights_M [M] f32, ≥ 0
/// @param total_weight > 0, or 0 in a step in which nothing is trained: then the loss is 0
/// @return scalar f32
torch::Tensor weighted_nll(const torch::Tensor& logps_M, const torch::Tensor& weights_M,
                           double total_weight);

/// The weights of dynamic fine-tuning: each token's times its probability, which has no gradient.
/// @return [M] f32, for weighted_nll with the total of the weights as they were
/// @source arXiv:2508.05629, eq. 9
torch::Tensor dft_weights(const torch::Tensor& logps_M, const torch::Tensor& weights_M);

}  // namespace hone::loss
