#pragma once

#include "quant/recipe.h"

namespace hone::quant {

/// Packs a matrix: the formats of bitsandbytes bit for bit as its CPU library does, those of
/// integers by group as integer_groups.h says.
/// @param weight [rows, columns] f32, bf16, f16 or f64, on the CPU (integers by group: anywhere);
///               any sizes, the last block may be short, groups divide the rows
/// @param recipe with a format other than none
/// @throws ConfigError for a block size that is no power of two from 32 to 4096
/// @throws DataError   where a number is not finite
/// @source bitsandbytes' quantize_4bit, quantize_blockwise, int8_vectorwise_quant
kernels::PackedMatrix quantize(const at::Tensor& weight, const Recipe& recipe);

}  // namespace hone::quant
