#pragma once

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include "model/decoder.h"

namespace hone::model {

/// What a frozen layer multiplies by, kept by a node of the graph until its backward pass: the
/// weight as it is stored, never as numbers of another dtype.
struct FrozenWeight {
  Tensor weight;
  std::shared_ptr<const kernels::PackedMatrix> packed;

  FrozenWeight(const Linear& linear) : weight(linear.weight), packed(linear.packed) {}
  explicit FrozenWeight(Tensor weight_OI) : weight(std::move(weight_OI)) {}

  std::int64_t out_features() const;
  std::int64_t in_features() const;
  bool is_frozen() const { return packed != nullptr || !weight.requires_grad(); }

  /// x Wᵀ + b in x's dtype, not differentiable. @param bias may be undefined
  Tensor product(const Tensor& x_NI, const Tensor& bias_O) const;
  /// g W in g's dtype, not differentiable: the gradient of that product's x.
  Tensor gradient(const Tensor& g_NO) const;
};

/// Puts a weight into a node's context, and finds it there again in the backward pass.
void keep(torch::autograd::AutogradContext& context, const FrozenWeight& weight);
const FrozenWeight& kept(torch::autograd::AutogradContext& context);

/// x Wᵀ + b over a packed weight, differentiable in x and b: the weight is dequantised for the
/// product and again in the backward pass, and never kept.
/// @throws ShapeError when the sizes do not fit
Tensor packed_linear(const Tensor& x_NI, const Linear& linear);

}  // namespace hone::model
