#pragma once

#include <cstdint>
#include <string>

#include "kernels/packed/packed.h"

namespace hone::quant {

/// What a number of a frozen matrix is kept in.
enum class Format {
  kNone,           ///< a float
  kNf4,            ///< 16 levels that split a normal distribution evenly (arXiv:2305.14314)
  kFp4,            ///< sign, two bits of exponent, one of fraction
  kInt8,           ///< integers scaled by row (LLM.int8(), arXiv:2208.07339)
  kInt8Blockwise,  ///< 8 bits of dynamic exponent and fraction, by block (arXiv:2110.02861)
  kInt4,           ///< integers from −8 to 7, scaled by group of neighbours in a row
  kInt8Group,      ///< integers from −128 to 127, the same
};

/// How a matrix is packed.
struct Recipe {
  Format format = Format::kNone;
  std::int64_t blocksize = 64;  ///< of the formats that go by block: a power of two, 32 to 4096
  /// 4-bit formats: the blocks' scales, less their mean, are packed to 8 bits in blocks of 256.
  bool double_quantization = true;
  /// kInt4, kInt8Group: a group's integers are centred on 0. Else it has a zero point too, and
  /// reaches from its least number to its largest.
  bool symmetric = true;
};

/// "none", "nf4", "fp4", "int8", "int8_blockwise", "int4", "int8_group".
std::string format_name(Format format);
/// @throws ConfigError naming those that there are
Format parse_format(const std::string& name);

/// The formats whose map and block scales are bitsandbytes' 4-bit ones.
bool is_four_bit(Format format);
/// Those of integers by group, whose blocks (here groups) never span two rows.
bool is_integer_group(Format format);

/// @param name of the layer, for the message
/// @throws ConfigError where rows of so many weights cannot be cut into the recipe's groups
void check_fits(const Recipe& recipe, const std::string& name, std::int64_t columns);

/// How a matrix was packed.
Recipe recipe_of(const kernels::PackedMatrix& matrix);

/// In words: "nf4 in blocks of 64, scales packed again".
std::string describe(const Recipe& recipe);

}  // namespace hone::quant
