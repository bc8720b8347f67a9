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
};

/// How a matrix is packed.
struct Recipe {
  Format format = Format::kNone;
  std::int64_t blocksize = 64;  ///< of the formats that go by block: a power of two, 32 to 4096
  /// 4-bit formats: the blocks' scales, less their mean, are packed to 8 bits in blocks of 256.
  bool double_quantization = true;
};

/// "none", "nf4", "fp4", "int8", "int8_blockwise".
std::string format_name(Format format);
/// @throws ConfigError naming those that there are
Format parse_format(const std::string& name);

bool is_four_bit(Format format);

/// How a matrix was packed.
Recipe recipe_of(const kernels::PackedMatrix& matrix);

/// In words: "nf4 in blocks of 64, scales packed again".
std::string describe(const Recipe& recipe);

}  // namespace hone::quant
