#pragma once

#include <vector>

#include "adapters/adapter.h"

namespace hone::adapters {

/// Puts several adapters onto a model, unmerged: what each changes of a layer's output is weighted
/// and added, y = f₀(x) + Σ wᵢ (fᵢ(x) − f₀(x)) with f₀ the base. One adapter of weight 1 is
/// attached as attach() does; a weight of 0 leaves its adapter off.
/// @param weights one for each
/// @throws ConfigError where the numbers differ, or where an adapter's changes cannot be added up
/// or
///         weighted: virtual tokens, weights in the place of the base's, trained tokens
/// @pre nothing is attached
void attach_weighted(std::vector<Adapter>& adapters, const std::vector<double>& weights,
                     model::Decoder& decoder);

}  // namespace hone::adapters
