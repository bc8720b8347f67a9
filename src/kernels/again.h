#pragma once

#include <torch/csrc/autograd/function.h>
#include <torch/types.h>

#include <functional>
#include <memory>

namespace hone::kernels {

/// Makes the result of an operation again from what its node keeps, until the node's own backward
/// pass is over. It does not hold the node: who uses it follows the node in the graph, which does.
/// Empty where another operation made it.
using Again = std::function<at::Tensor()>;

Again glu_again(const std::shared_ptr<torch::autograd::Node>& node);

/// A norm's result is usually multiplied by several matrices: it is made for the first of them, and
/// kept from there until the norm's own backward pass.
Again rms_norm_again(const std::shared_ptr<torch::autograd::Node>& node);

}  // namespace hone::kernels
