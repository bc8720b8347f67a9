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

/// The same with a share ε of each target spread evenly over the vocabulary:
/// Σ weight · ((1 − ε)(−logp) + ε(logsumexp − mean logit)) / total_weight.
/// @param epsilon in [0, 1]; at 0 it is weighted_nll
/// @source arXiv:1512.00567, section 7; transformers' LabelSmoother
torch::Tensor smoothed_nll(const torch::Tensor& logps_M, const torch::Tensor& logsumexp_M,
                           const torch::Tensor& mean_logit_M, const torch::Tensor& weights_M,
                           double total_weight, double epsilon);

/// Σ weight · logsumexp² / total_weight, which keeps the normaliser near 1.
/// @source PaLM, arXiv:2204.02311, section 5
torch::Tensor z_loss(const torch::Tensor& logsumexp_M, const torch::Tensor& weights_M,
                     double total_weight);

/// The weights of dynamic fine-tuning: each token's times its probability, which has no gradient.
/// @return [M] f32, for weighted_nll with the total of the weights as they were
/// @source arXiv:2508.05629, eq. 9
torch::Tensor dft_weights(const torch::Tensor& logps_M, const torch::Tensor& weights_M);

}  // namespace hone::loss
