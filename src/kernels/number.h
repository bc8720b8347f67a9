#pragma once

#include <bit>
#include <cstdint>

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

/// What arithmetic is done in: a storage type's value as float, or double for double.
HONE_HOST_DEVICE float widen(float value) { return value; }
HONE_HOST_DEVICE double widen(double value) { return value; }
HONE_HOST_DEVICE float widen(Bf16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

template <class T>
using Wide = decltype(widen(T{}));

/// Rounds to the storage type: to nearest, ties to even; a NaN stays one.
template <class T>
HONE_HOST_DEVICE T narrow(Wide<T> value) {
  if constexpr (sizeof(T) == sizeof(value)) {
    return value;
  } else {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
    const std::uint32_t quiet_nan = (bits >> 16) | 0x40u;
    const bool is_nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
    return T{static_cast<std::uint16_t>(is_nan ? quiet_nan : rounded)};
  }
}

}  // namespace hone::kernels
