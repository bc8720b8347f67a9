#pragma once

#include <optional>

#include "adapters/changed_base.h"
#include "adapters/leading_svd.h"
#include "model/stored_weights.h"
#include "quant/recipe.h"

namespace hone::adapters {

/// A matrix as packed base and update, Q + s · B A.
struct LoftqSplit {
  Tensor packed_from;     ///< [out, in] f32: the matrix whose packing is Q
  Directions directions;  ///< A and B
};

/// The matrix is packed, what that lost goes into A and B as its largest singular values have it,
/// and what these cannot hold goes into the next packing; and so on.
/// @param weight  [out, in] f32, on the CPU
/// @param recipe  of a 4-bit format
/// @param rounds  at least 1; with 1 Q is the packing of the matrix itself
/// @source arXiv:2310.08659, algorithm 1; the scaling s is the adapter's
LoftqSplit split_by_loftq(const Tensor& weight, const quant::Recipe& recipe, std::int64_t r,
                          double scaling, std::int64_t rounds);

/// Begins a LoRA so, over the packed layers of `decoder`.
/// @param stored the weights that these were packed from
/// @return the matrices that took the base's place; nothing where rounds is 1 and none did
/// @throws ConfigError where a module is none of the layers that 4-bit quantisation packs
std::optional<ChangedBase> begin_by_loftq(Adapter& adapter, model::Decoder& decoder,
                                          const model::StoredWeights& stored, std::int64_t rounds);

}  // namespace hone::adapters
