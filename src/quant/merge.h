#pragma once

#include "quant/error.h"
#include "quant/recipe.h"

namespace hone::quant {

/// A packed matrix with an update in it, and what packing it again cost.
struct Merged {
  kernels::PackedMatrix matrix;
  MatrixError error;  ///< of the matrix beside the exact sum of base and update
};

/// Dequantises, adds and packs again by the base's own recipe.
/// @param update [rows, columns]
/// @throws DataError where the sum is not finite
Merged merge(const kernels::PackedMatrix& base, const at::Tensor& update);

}  // namespace hone::quant
