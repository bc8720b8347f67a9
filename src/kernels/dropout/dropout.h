#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace hone::kernels {

/// Names one use of dropout. An element's fate is a pure function of this key, its row and its
/// column: not of threads, of how a step is cut into micro-batches, or of what ran before.
struct DropoutKey {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;       ///< optimizer step, below 2^56
  std::uint32_t site = 0;       ///< which dropout of the model this is, below 2^24
  std::uint64_t first_row = 0;  ///< where x's first row lies among the rows of the whole step
};

/// Sets each element to 0 with probability p and multiplies the others by 1 / (1 − p),
/// differentiable; the backward pass computes the mask again and keeps nothing. p = 0 gives x.
/// @param x_NH [N, H] f32, bf16, fp16 or f64; rows may be strided, elements of a row adjacent
/// @param p    in [0, 1)
/// @return [N, H], x's dtype
/// @throws ShapeError when x is not a matrix of such a dtype, or p or the key is out of range
/// @source arXiv:1207.0580; random numbers: base/philox.h, stream kDropout
at::Tensor dropout(const at::Tensor& x_NH, double p, const DropoutKey& key);

}  // namespace hone::kernels
