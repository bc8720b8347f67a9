#pragma once

#include "kernels/number.h"

// The numbers that a quantiser makes are those of bitsandbytes on the CPU, to the bit: what is
// multiplied by a reciprocal there is not divided here, and the other way round. All of it runs on
// the CPU, while a model is loaded.
namespace hone::kernels {

constexpr int kFourBitLevels = 16;
constexpr int kEightBitBins = 65536;

/// Blocks of numbers to 4-bit codes.
template <class T>
struct QuantizeFourBit {
  const T* x;  // [n]
  std::int64_t n, blocksize;
  const float* bounds;        // [15] halfway between neighbouring levels, rising
  const std::uint8_t* order;  // [16] the levels' codes, in the same order
  std::uint8_t* codes;        // [⌈n / 2⌉]
  float* absmax;              // one a block
};

/// Blocks of numbers to 8-bit codes. A number in units of its block's largest is looked up in
/// equally wide bins of [−1, 1].
template <class T>
struct QuantizeEightBit {
  const T* x;  // [n]
  std::int64_t n, blocksize;
  const std::uint8_t* bins;  // [kEightBitBins] the code of each
  std::uint8_t* codes;       // [n]
  float* absmax;             // one a block
};

/// Rows of numbers to integers from −127 to 127.
template <class T>
struct QuantizeRows {
  const T* x;  // [rows, columns]
  std::int64_t rows, columns;
  std::int8_t* codes;  // [rows, columns]
  float* absmax;       // [rows]
};

/// How many of the bounds lie below a number.
HONE_HOST_DEVICE int level_of(float value, const float* bounds) {
  int level = 0;
  for (int i = 0; i < kFourBitLevels - 1; ++i) level += value > bounds[i] ? 1 : 0;
  return level;
}

HONE_HOST_DEVICE float within_one(float value) {
  return value < -1.0f ? -1.0f : value > 1.0f ? 1.0f : value;
}

HONE_HOST_DEVICE int bin_of(float value) {
  return static_cast<int>((within_one(value) + 1.0f) * 0.5f * (kEightBitBins - 1) + 0.5f);
}

template <class T>
void launch_cpu(const QuantizeFourBit<T>& args);
template <class T>
void launch_cpu(const QuantizeEightBit<T>& args);
template <class T>
void launch_cpu(const QuantizeRows<T>& args);

}  // namespace hone::kernels
