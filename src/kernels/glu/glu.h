#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/glu/activation.h"

namespace hone::kernels {

/// The gate of a gated MLP, differentiable: act(gate) · up in fp32, rounded once. Keeps gate and
/// up; the backward pass computes act again.
/// @param gate_NI,up_NI [N, I] f32, bf16, fp16 or f64, the same dtype; rows may be strided (both
/// may be
///                      halves of one projection), elements of a row adjacent
/// @return [N, I], their dtype, contiguous
/// @throws ShapeError when the sizes, dtypes or devices do not fit
/// @source arXiv:2002.05202, eq. 6
at::Tensor glu(const at::Tensor& gate_NI, const at::Tensor& up_NI,
               Activation activation = Activation::kSilu);

}  // namespace hone::kernels
