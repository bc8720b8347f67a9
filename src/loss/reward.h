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

}  // namespace hone::loss
