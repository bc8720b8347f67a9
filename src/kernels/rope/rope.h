#pragma once

#include <ATen/core/Tensor.h>

namespace hone::kernels {

/// Rotary position embedding, differentiable, in the rotate-half convention of Hugging Face's
/// Llama: the pair (x[i], x[i + R/2]) of every head is turned by the angle of that token and i, R
/// being twice the width of `cos`. Elements of a head past R stay as they are (partial rotary
/// models). Computed in fp32 and rounded once; cos and sin are not rounded to x's dtype. The
/// backward pass turns the gradient by the opposite angle and keeps only cos and sin.
/// @param x       [N, heads, head_dim] f32, bf16, fp16 or f64; tokens and heads may be strided (a
/// part of
///                a fused projection), elements of a head adjacent
/// @param cos,sin [N, R/2] f32 (f64 for f64 x), R ≤ head_dim, of each token's own position
/// @return [N, heads, head_dim], x's dtype, contiguous
/// @throws ShapeError when the sizes, dtypes or devices do not fit
/// @source arXiv:2104.09864, eq. 34
at::Tensor rope(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

}  // namespace hone::kernels
