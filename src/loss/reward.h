#pragma once

#include <optional>

#include "loss/pairs.h"

namespace hone::loss {

/// Bradley–Terry: the chosen answer's reward should be the larger one, by the margin where there is
/// one, and the two should lie around 0.
/// @param chosen, rejected [P] f32, rewards; gradient flows
/// @param margin [P] f32, or none
/// @param center_coefficient of (chosen + rejected)², 0: none
/// @return [P] f32, −log σ(chosen − rejected − margin) + c · (chosen + rejected)²
/// @source Bradley and Terry (1952); margin: arXiv:2307.09288; centring: arXiv:2312.09244
torch::Tensor bradley_terry_loss(const torch::Tensor& chosen, const torch::Tensor& rejected,
                                 const std::optional<torch::Tensor>& margin,
                                 double center_coefficient);

/// Squared error of a head's outputs against scores, averaged over a row's attributes. An attribute
/// that is NaN is one that the row does not have.
/// @param outputs [N, A] f32; gradient flows. @param scores [N, A] f32
/// @return [N] f32; 0 for a row without attributes
torch::Tensor score_regression_loss(const torch::Tensor& outputs, const torch::Tensor& scores);

/// Binary cross-entropy of steps that are right (1) or wrong (0).
/// @param logits [M] f32; gradient flows. @param labels [M] f32
/// @return [M] f32
/// @source process supervision, arXiv:2305.20050
torch::Tensor step_label_loss(const torch::Tensor& logits, const torch::Tensor& labels);

}  // namespace hone::loss
