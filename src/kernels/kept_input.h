#pragma once

#include <torch/csrc/autograd/custom_function.h>

namespace hone::kernels {

// What a node of the graph needs of its input x in its backward pass. glu() and rms_norm() make
// large results out of what their own nodes keep anyway, and make them fast: a node that multiplies
// such a result keeps how it was made, and the result goes as soon as the forward pass is done with
// it. It is made again with the same bits.

/// Called in a node's forward pass. @param x as the node's function was given it
/// @return what the node saves for x: x itself, or an undefined tensor where x can be made again
at::Tensor keep_input(torch::autograd::AutogradContext& context, const at::Tensor& x);

/// x in the backward pass. @param saved what keep_input() has returned
/// @throws Error where x is made again and autograd wants this to be differentiable (create_graph)
at::Tensor kept_input(torch::autograd::AutogradContext& context, const at::Tensor& saved);

}  // namespace hone::kernels
