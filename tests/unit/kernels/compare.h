#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace hone::test {

/// A function of some tensors that autograd can follow.
using TensorFunction = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

/// How far an element may be from its reference r: relative · |r| + scaled · rms(all r) + absolute.
/// `relative` counts roundings of the result, `scaled` those of what was summed or cancelled, and
/// `absolute` is for results that cancel to nothing as a whole.
struct Bound {
  double relative, scaled, absolute = 0;
};

/// The relative error of one rounding to nearest.
inline double unit_roundoff(at::ScalarType dtype) {
  return dtype == at::kBFloat16 ? 0x1p-8 : dtype == at::kFloat ? 0x1p-24 : 0x1p-53;
}

/// Normally distributed f64 numbers that are exact in `dtype`, the same in every run.
at::Tensor normal(at::IntArrayRef sizes, std::uint64_t seed, at::ScalarType dtype);

/// Compares `fused` on inputs of `dtype` with `reference` on the same numbers in f64: the value,
/// and the gradient of its sum weighted at random with respect to every input.
/// @param inputs f64 numbers that are exact in `dtype`
void expect_like_reference(const TensorFunction& fused, const TensorFunction& reference,
                           const std::vector<at::Tensor>& inputs, at::ScalarType dtype, Bound value,
                           Bound gradient);

/// Compares the gradients of `function` in f64 with central differences, along random directions.
void expect_gradients_like_differences(const TensorFunction& function,
                                       const std::vector<at::Tensor>& inputs);

void expect_within(const at::Tensor& got, const at::Tensor& reference, Bound bound,
                   const std::string& what);

/// Value and gradients, for bitwise comparisons.
std::vector<at::Tensor> value_and_gradients(const TensorFunction& function,
                                            const std::vector<at::Tensor>& inputs);

/// Checks that the number of threads changes no bit of value or gradients.
void expect_same_bits_for_any_threads(const TensorFunction& function,
                                      const std::vector<at::Tensor>& inputs);

}  // namespace hone::test
