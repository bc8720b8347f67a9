#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

#include "quant/recipe.h"

namespace hone::quant {

/// What the 16 codes of NF4 or FP4 stand for, in units of a block's scale. [16] f32
/// @source arXiv:2305.14314, appendix E; FP4: bitsandbytes' get_4bit_type
const at::Tensor& four_bit_map(Format format);

/// The codes of a 4-bit format in the order of their numbers, and the bounds halfway between
/// neighbours: a number belongs to the first code whose upper bound it does not pass. FP4 has two
/// zeros; by these bounds 0 itself gets the first, what lies just above it the second.
struct Levels {
  std::array<std::uint8_t, 16> order;
  std::array<float, 15> bounds;
};
const Levels& four_bit_levels(Format format);

/// What the 256 codes of the dynamic 8-bit format stand for, rising: seven decades, with a bit more
/// of fraction in each. [256] f32
/// @source arXiv:1511.04561; arXiv:2110.02861, section 2.1
const at::Tensor& dynamic_map();

/// The integers that the codes of kInt4 and kInt8Group stand for, from the least. [16] or [256] f32
const at::Tensor& integer_map(Format format);

/// The map of any format that has one: all but kNone and kInt8.
const at::Tensor& map_of(Format format);

/// The nearest of these codes for the middle of each of 65,536 bins of [−1, 1], as bitsandbytes'
/// CPU library rounds to them. [65536]
const std::vector<std::uint8_t>& dynamic_bins();

}  // namespace hone::quant
