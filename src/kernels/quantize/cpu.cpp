#include <algorithm>
#include <cmath>

#include "kernels/cpu_launch.h"
#include "kernels/quantize/arithmetic.h"

namespace hone::kernels {
namespace {

/// The smallest scale that is divided by, so that a block of zeros gives zeros.
constexpr float kSmallest = 1e-38f;

template <class T>
HONE_INLINE float as_float(T value) {
  return static_cast<float>(widen(value));
}

template <class T>
HONE_INLINE float largest_magnitude(const T* x, std::int64_t count) {
  float largest = 0;
#pragma omp simd reduction(max : largest)
  for (std::int64_t i = 0; i < count; ++i) {
    const float magnitude = std::fabs(as_float(x[i]));
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest;
}

template <class T>
CpuWork cpu_work(const QuantizeFourBit<T>& a) {
  return {(a.n + a.blocksize - 1) / a.blocksize, a.blocksize};
}

/// The levels of `count` numbers, each times or over the scale.
template <class T, class Scaled>
HONE_INLINE void levels_of(const T* x, std::int64_t count, const float* bounds, Scaled scaled,
                           std::int32_t* levels) {
  for (std::int64_t i = 0; i < count; ++i)
    levels[i] = level_of(within_one(scaled(as_float(x[i]))), bounds);
}

template <class T>
HONE_INLINE void cpu_item(const QuantizeFourBit<T>& a, std::int64_t block) {
  constexpr std::int64_t kAtOnce = 64;
  const std::int64_t first = block * a.blocksize, count = std::min(a.blocksize, a.n - first);
  const float absmax = largest_magnitude(a.x + first, count);
  const float scale = std::max(absmax, kSmallest), reciprocal = 1.0f / scale;
  const bool whole = count == a.blocksize;
  a.absmax[block] = whole ? absmax : scale;
  float bounds[kFourBitLevels - 1];
  std::copy_n(a.bounds, kFourBitLevels - 1, bounds);
  for (std::int64_t at = 0; at < count; at += kAtOnce) {
    const std::int64_t some = std::min(kAtOnce, count - at);
    std::int32_t levels[kAtOnce];
    const T* const x = a.x + first + at;
    if (whole)
      levels_of(
          x, some, bounds, [=](float value) { return value * reciprocal; }, levels);
    else
      levels_of(
          x, some, bounds, [=](float value) { return value / scale; }, levels);
    if (some % 2 == 1) levels[some] = level_of(0.0f, bounds);  // the last half byte
    std::uint8_t* const codes = a.codes + (first + at) / 2;
    for (std::int64_t i = 0; i < (some + 1) / 2; ++i)
      codes[i] =
          static_cast<std::uint8_t>(a.order[levels[2 * i]] << 4 | a.order[levels[2 * i + 1]]);
  }
}

template <class T>
CpuWork cpu_work(const QuantizeEightBit<T>& a) {
  return {(a.n + a.blocksize - 1) / a.blocksize, a.blocksize};
}

template <class T>
HONE_INLINE void cpu_item(const QuantizeEightBit<T>& a, std::int64_t block) {
  const std::int64_t first = block * a.blocksize, count = std::min(a.blocksize, a.n - first);
  const float absmax = largest_magnitude(a.x + first, count);
  a.absmax[block] = absmax;
  if (absmax == 0) {
    std::fill_n(a.codes + first, count, std::uint8_t{0});
    return;
  }
  const float reciprocal = 1.0f / absmax;
  for (std::int64_t i = first; i < first + count; ++i)
    a.codes[i] = a.bins[bin_of(as_float(a.x[i]) * reciprocal)];
}

template <class T>
CpuWork cpu_work(const QuantizeRows<T>& a) {
  return {a.rows, a.columns};
}

template <class T>
HONE_INLINE void cpu_item(const QuantizeRows<T>& a, std::int64_t row) {
  const T* const x = a.x + row * a.columns;
  std::int8_t* const codes = a.codes + row * a.columns;
  const float absmax = largest_magnitude(x, a.columns);
  a.absmax[row] = absmax;
  const float factor = absmax > 0 ? 1.0f / absmax * 127.0f : 0.0f;
  for (std::int64_t i = 0; i < a.columns; ++i)
    codes[i] = static_cast<std::int8_t>(std::nearbyint(as_float(x[i]) * factor));
}

}  // namespace

HONE_CPU_LAUNCHERS(QuantizeFourBit)
HONE_CPU_LAUNCHERS(QuantizeEightBit)
HONE_CPU_LAUNCHERS(QuantizeRows)

}  // namespace hone::kernels
