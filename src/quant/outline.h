#pragma once

#include "quant/recipe.h"

namespace hone::quant {

/// What quantize() makes of a matrix of these sizes, without its numbers: tensors of LibTorch's
/// meta device, which have shapes and take no memory. The map is there, which all matrices share.
/// @param recipe one of bitsandbytes' formats
kernels::PackedMatrix outline_of(std::int64_t rows, std::int64_t columns, const Recipe& recipe);

}  // namespace hone::quant
