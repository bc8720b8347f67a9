#pragma once

#include <vector>

#include "optim/parameter.h"

namespace hone::optim {

/// Scales all gradients so that their joint Euclidean norm is at most max_norm.
/// @param max_norm 0 measures without clipping
/// @return the norm before clipping; not finite where a gradient is not
/// @source torch.nn.utils.clip_grad_norm_
double clip_grad_norm(const std::vector<Parameter>& parameters, double max_norm);

}  // namespace hone::optim
