#pragma once

#include <functional>
#include <vector>

#include "optim/parameter.h"

namespace hone::optim {

/// The Euclidean norm, summed in fp32 whatever the gradient is kept in.
double norm_of(const Tensor& gradient);

/// Scales all gradients so that their joint Euclidean norm is at most max_norm.
/// @param max_norm 0 measures without clipping
/// @param of_all   makes of the sum of the gradients' squares that of all, where others have the
///                 other parts of them; empty: they are whole
/// @return the norm before clipping; not finite where a gradient is not
/// @source torch.nn.utils.clip_grad_norm_
double clip_grad_norm(const std::vector<Parameter>& parameters, double max_norm,
                      const std::function<double(double squares)>& of_all = {});

/// Brings every element of every gradient into [−max_value, max_value]; 0 leaves them.
/// @source torch.nn.utils.clip_grad_value_
void clip_grad_value(const std::vector<Parameter>& parameters, double max_value);

}  // namespace hone::optim
