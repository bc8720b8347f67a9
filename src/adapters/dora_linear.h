#pragma once

#include <torch/types.h>

#include "adapters/dropout.h"
#include "model/frozen_linear.h"

namespace hone::adapters {

using torch::Tensor;

/// ‖W + sBA‖ over each output row, without making W + sBA:
/// ‖W‖² + 2s · Σ (WAᵀ) ∘ B + s² · Σ (B(AAᵀ)) ∘ B, each sum along a row.
/// @param squared_norms [out] f32, ‖W‖² of each row
/// @param weight        [out, in]
/// @param a,b           [r, in], [out, r] f32
/// @param dtype         what the middle term is computed in
/// @return [out] f32, no gradient
Tensor dora_norms(const Tensor& squared_norms, const model::FrozenWeight& weight, const Tensor& a,
                  const Tensor& b, double scaling, torch::Dtype dtype);

/// y = c ∘ (x Wᵀ + s · x Aᵀ Bᵀ) + b with c = m / ‖W + sBA‖, as one node of the graph; the norm is a
/// constant to the gradient.
/// @param x         [N, in], the compute dtype
/// @param weight    [out, in], used in x's dtype; kept by the graph as it is stored
/// @param bias      [out], x's dtype, frozen, or undefined
/// @param a,b       [r, in], [out, r] f32 masters
/// @param magnitude [out] f32 master
/// @param norms     [out] f32, of dora_norms
/// @return [N, out], x's dtype
/// @source arXiv:2402.09353, eq. 5 and section 4.3
Tensor dora_linear(const Tensor& x, const model::FrozenWeight& weight, const Tensor& bias,
                   const Tensor& a, const Tensor& b, const Tensor& magnitude, const Tensor& norms,
                   double scaling);

/// What DoRA trains of a layer.
struct DoraTensors {
  Tensor a, b, magnitude;
  Tensor bias;  ///< of B, scaled as the update; undefined: none
};
std::shared_ptr<const model::LinearAdapter> dora_adapter(DoraTensors tensors, double scaling,
                                                         Dropping dropping);

}  // namespace hone::adapters
