#pragma once

#include <torch/types.h>

#include "kernels/dropout/dropout.h"
#include "model/frozen_linear.h"

namespace hone::adapters {

using torch::Tensor;

/// y = x Wᵀ + b + s · dropout(x) Aᵀ Bᵀ as one node of the graph: x is kept once, or not at all
/// where it can be made again (kernels/kept_input.h); the base is frozen, and neither W's gradient
/// nor a second copy of y is ever made. What the graph keeps of W is W as it is stored: one that is
/// packed is dequantised for the product, and again for x's gradient (arXiv:2305.14314, eq. 5).
/// @param x       [N, in], the compute dtype
/// @param weight  W [out, in], used in x's dtype; a Linear stands for its own
/// @param bias    [out], frozen, used in x's dtype, or undefined
/// @param a,b     [r, in] and [out, r], f32 masters (f64 in gradient checks); used in x's dtype,
///                their gradients come back in theirs
/// @param dropout probability in [0, 1); the mask is a function of `key` and the element alone
/// @return [N, out], x's dtype
/// @throws ShapeError when the sizes do not fit
/// @source arXiv:2106.09685, eq. 3
Tensor lora_linear(const Tensor& x, const model::FrozenWeight& weight, const Tensor& bias,
                   const Tensor& a, const Tensor& b, double scaling, double dropout,
                   const kernels::DropoutKey& key);

}  // namespace hone::adapters
