#pragma once

#include <ATen/core/Tensor.h>

namespace hone::kernels {

/// Names one rounding of a tensor. How an element is rounded is a pure function of this key and its
/// place in the tensor: not of threads, or of the portions in which the tensor is rounded.
struct RoundingKey {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;    ///< updates done, below 2^56
  std::uint32_t tensor = 0;  ///< which tensor of the step this is, below 2^24
};

/// Rounds to bf16 by chance, so that the expected value of the result is x: to the neighbour above
/// with the probability (x − below) / (above − below), in steps of 2^-16. A number beyond bf16's
/// largest may become infinite.
/// @param x     [n] f32, contiguous: the elements of the tensor from `first` on
/// @param y     [n] bf16, contiguous, on the same device: where they go
/// @param first a multiple of kRoundingPortion
/// @throws ShapeError when sizes, dtypes or devices do not fit, or the key is out of range
/// @source Gupta et al., "Deep learning with limited numerical precision", arXiv:1502.02551;
///         random numbers: base/philox.h, stream kRounding
void round_stochastically(const at::Tensor& x, const at::Tensor& y, const RoundingKey& key,
                          std::int64_t first = 0);

constexpr std::int64_t kRoundingPortion = 2048;

}  // namespace hone::kernels
