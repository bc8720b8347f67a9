#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "base/philox.h"  // HONE_HOST_DEVICE

// Compiles a function once for each level of x86-64 and picks one when the program is loaded, and
// inlines what it calls, so that the loops in it are vectorised for that level. Sanitisers cannot
// run before the choice is made, so they get the plain function.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define HONE_SIMD \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), flatten))
#else
#define HONE_SIMD
#endif

// A part of such a function: it must be inlined into every clone of it.
#if defined(__GNUC__) && !defined(__CUDACC__)
#define HONE_INLINE inline __attribute__((always_inline))
#else
#define HONE_INLINE inline
#endif

namespace hone::kernels {

/// A bfloat16 in memory: the upper half of a float.
struct Bf16 {
  std::uint16_t bits;
};

/// A half-precision number (IEEE binary16) in memory: 1 sign, 5 exponent and 10 fraction bits.
struct Fp16 {
  std::uint16_t bits;
};

/// What arithmetic is done in: a storage type's value as float, or double for double.
HONE_HOST_DEVICE float widen(float value) { return value; }
HONE_HOST_DEVICE double widen(double value) { return value; }
HONE_HOST_DEVICE float widen(Bf16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

HONE_HOST_DEVICE float widen(Fp16 value) {
  constexpr std::uint32_t kRebias = (127u - 15u) << 23;
  const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000u) << 16;
  const std::uint32_t magnitude = static_cast<std::uint32_t>(value.bits & 0x7FFFu) << 13;
  const std::uint32_t normal = magnitude + kRebias;
  const std::uint32_t special = normal + kRebias;  // infinity and NaN have the largest exponent
  // A subnormal's fraction counts 2^-24: set behind the one of 2^-14 and that one taken off again.
  const float with_one = std::bit_cast<float>(magnitude + kRebias + (1u << 23));
  const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(with_one - 6.103515625e-5f);
  const std::uint32_t finite = magnitude < (1u << 23) ? subnormal : normal;
  return std::bit_cast<float>(sign | (magnitude >= (31u << 23) ? special : finite));
}

template <class T>
using Wide = decltype(widen(T{}));

/// To nearest, ties to even; above 65520 to infinity, as IEEE 754 has it.
HONE_HOST_DEVICE Fp16 to_fp16(float value) {
  constexpr std::uint32_t kInfinity = 0x7F800000u, kTooLarge = 0x477FF000u, kNormal = 0x38800000u;
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  const std::uint32_t rounded =
      (magnitude - ((127u - 15u) << 23) + 0xFFFu + ((magnitude >> 13) & 1u)) >> 13;
  // Below 2^-14 what counts is 2^-24, the last place of the numbers that begin at a half.
  const float on_half = std::bit_cast<float>(magnitude < kNormal ? magnitude : 0u) + 0.5f;
  const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(on_half) - 0x3F000000u;
  const std::uint32_t finite = magnitude < kNormal ? subnormal : rounded;
  const std::uint32_t large = magnitude > kInfinity ? 0x7E00u : 0x7C00u;
  const std::uint32_t half = magnitude >= kTooLarge ? large : finite;
  return Fp16{static_cast<std::uint16_t>(((bits >> 16) & 0x8000u) | half)};
}

/// Rounds to the storage type: to nearest, ties to even; a NaN stays one.
template <class T>
HONE_HOST_DEVICE T narrow(Wide<T> value) {
  if constexpr (sizeof(T) == sizeof(value)) {
    return value;
  } else if constexpr (std::is_same_v<T, Fp16>) {
    return to_fp16(value);
  } else {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
    const std::uint32_t quiet_nan = (bits >> 16) | 0x40u;
    const bool is_nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
    return T{static_cast<std::uint16_t>(is_nan ? quiet_nan : rounded)};
  }
}

}  // namespace hone::kernels
