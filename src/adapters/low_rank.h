#pragma once

#include <functional>
#include <memory>

#include "adapters/dropout.h"
#include "model/decoder.h"

namespace hone::adapters {

using torch::Tensor;

/// The two matrices of y = x Wᵀ + b + s · dropout(x) Aᵀ Bᵀ.
struct Factors {
  Tensor a;     ///< [r, in] f32
  Tensor b;     ///< [out, r] f32
  Tensor bias;  ///< [out] f32, scaled as well; undefined: none
};

/// @param factors gives them at each forward pass; gradients flow through what it computes
std::shared_ptr<const model::LinearAdapter> low_rank_adapter(std::function<Factors()> factors,
                                                             double scaling, Dropping dropping);

/// y = x (W + Δ)ᵀ + b, the input of Δ dropped.
/// @param delta gives Δ [out, in] f32 at each forward pass
std::shared_ptr<const model::LinearAdapter> delta_adapter(std::function<Tensor()> delta,
                                                          Dropping dropping = {});

/// y = c ∘ (rotate(x) Wᵀ) + b.
/// @param rotation R [in, in] f32, so that rotate(x) = x R
/// @param scale    c [out] f32, or undefined for 1
struct Rotation {
  std::function<Tensor(const Tensor& x)> rotate;
  Tensor scale;
};
std::shared_ptr<const model::LinearAdapter> rotation_adapter(Rotation rotation);

}  // namespace hone::adapters
