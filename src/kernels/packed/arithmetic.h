#pragma once

#include "kernels/number.h"
#include "kernels/packed/codes.h"

namespace hone::kernels {

constexpr std::int64_t kNestedBlock = 256;  ///< scales that share a scale of their own

/// The scale of every block: `absmax` itself, or where that is null its 8-bit form.
struct BlockScales {
  const float* absmax;         // one a block
  const std::uint8_t* codes;   // one a block
  const float* nested_map;     // [256]
  const float* nested_absmax;  // one for kNestedBlock blocks
  const float* offset;         // [1]
};

/// A packed matrix where its memory is; see PackedMatrix.
struct PackedView {
  PackedCodes kind;
  const std::uint8_t* codes;
  const float* map;  // [16] or [256], null for kInt8
  BlockScales scales;
  const float* zeros;      // one a block, or null: 0
  std::int64_t blocksize;  // elements, counted along the rows and on from row to row
  std::int64_t columns;
};

/// Writes a rectangle of a packed matrix as numbers.
template <class T>
struct Dequantize {
  PackedView from;
  std::int64_t first_row, first_column, rows, columns;
  T* out;  // [rows, columns]
  std::int64_t out_stride;
};

/// a · b + c, rounded twice as bitsandbytes does; cpu.cpp is compiled without contraction for it.
HONE_HOST_DEVICE float sum_of_product(float a, float b, float c) {
#ifdef __CUDA_ARCH__
  return __fadd_rn(__fmul_rn(a, b), c);
#else
  const float product = a * b;
  return product + c;
#endif
}

HONE_HOST_DEVICE float block_scale(const BlockScales& scales, std::int64_t block) {
  if (scales.absmax) return scales.absmax[block];
  return sum_of_product(scales.nested_map[scales.codes[block]],
                        scales.nested_absmax[block / kNestedBlock], *scales.offset);
}

/// A float as storage type T; fp64 holds what fp32 computed.
template <class T>
HONE_HOST_DEVICE T stored(float value) {
  return narrow<T>(static_cast<Wide<T>>(value));
}

HONE_HOST_DEVICE float block_zero(const float* zeros, std::int64_t block) {
  return zeros ? zeros[block] : 0.0f;
}

/// The number that a code of a map stands for.
template <class T>
HONE_HOST_DEVICE T mapped_value(float code, float zero, float scale) {
  return stored<T>((code - zero) * scale);
}

/// The number that an integer of a row stands for; the constant is 1/127 as bitsandbytes has it.
template <class T>
HONE_HOST_DEVICE T integer_value(std::int8_t integer, float scale) {
  return stored<T>(static_cast<float>(integer) * scale * 7.874015718698502e-3f);
}

/// The code of element i where two share a byte: the first is in the upper half.
HONE_HOST_DEVICE unsigned four_bit_code(const std::uint8_t* codes, std::int64_t i) {
  return i % 2 == 0 ? codes[i / 2] >> 4 : codes[i / 2] & 15u;
}

template <class T>
void launch_cpu(const Dequantize<T>& args);

}  // namespace hone::kernels
