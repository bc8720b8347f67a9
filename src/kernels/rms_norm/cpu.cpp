#include <algorithm>
#include <cmath>

#include "kernels/cpu_launch.h"
#include "kernels/rms_norm/arithmetic.h"

namespace hone::kernels {
namespace {

template <class T>
HONE_INLINE void forward_row(const RmsNormForward<T>& a, std::int64_t n) {
  const T* const __restrict x = a.x + n * a.x_stride;
  const T* const __restrict weight = a.weight;
  T* const __restrict y = a.y + n * a.H;
  const NormWeighting<Wide<T>> style = a.style;
  Wide<T> sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t h = 0; h < a.H; ++h) sum += widen(x[h]) * widen(x[h]);
  const Wide<T> rstd = 1 / std::sqrt(sum / static_cast<Wide<T>>(a.H) + a.eps);
  a.rstd[n] = rstd;
  for (std::int64_t h = 0; h < a.H; ++h) y[h] = rms_norm_value(x[h], rstd, weight[h], style);
}

template <class T>
HONE_INLINE void gradient_row(const RmsNormBackward<T>& a, std::int64_t n) {
  const T* const __restrict dy = a.dy + n * a.H;
  const T* const __restrict x = a.x + n * a.x_stride;
  const T* const __restrict weight = a.weight;
  T* const __restrict dx = a.dx + n * a.H;
  const NormWeighting<Wide<T>> style = a.style;
  const Wide<T> rstd = a.rstd[n];
  Wide<T> sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t h = 0; h < a.H; ++h)
    sum += rms_norm_projection(dy[h], weight[h], x[h], rstd, style);
  const Wide<T> mean = sum / static_cast<Wide<T>>(a.H);
  for (std::int64_t h = 0; h < a.H; ++h)
    dx[h] = rms_norm_gradient(dy[h], weight[h], x[h], rstd, mean, style);
}

template <class T>
HONE_INLINE void weight_gradient_block(const RmsNormBackward<T>& a, std::int64_t block) {
  Wide<T>* const __restrict dweight = a.dweight + block * a.H;
  std::fill(dweight, dweight + a.H, Wide<T>{0});
  const NormWeighting<Wide<T>> style = a.style;
  const std::int64_t end = std::min(a.N, (block + 1) * kRmsNormBlock);
  for (std::int64_t n = block * kRmsNormBlock; n < end; ++n) {
    const T* const __restrict dy = a.dy + n * a.H;
    const T* const __restrict x = a.x + n * a.x_stride;
    const Wide<T> rstd = a.rstd[n];
    for (std::int64_t h = 0; h < a.H; ++h)
      dweight[h] += rms_norm_weight_gradient(dy[h], x[h], rstd, style);
  }
}

template <class T>
CpuWork cpu_work(const RmsNormForward<T>& a) {
  return {a.N, a.H};
}

template <class T>
HONE_INLINE void cpu_item(const RmsNormForward<T>& a, std::int64_t n) {
  forward_row(a, n);
}

template <class T>
CpuWork cpu_work(const RmsNormBackward<T>& a) {
  return {(a.N + kRmsNormBlock - 1) / kRmsNormBlock, a.H * kRmsNormBlock};
}

template <class T>
HONE_INLINE void cpu_item(const RmsNormBackward<T>& a, std::int64_t block) {
  const std::int64_t end = std::min(a.N, (block + 1) * kRmsNormBlock);
  if (a.dx)
    for (std::int64_t n = block * kRmsNormBlock; n < end; ++n) gradient_row(a, n);
  if (a.dweight) weight_gradient_block(a, block);
}

}  // namespace

HONE_CPU_LAUNCHERS(RmsNormForward)
HONE_CPU_LAUNCHERS(RmsNormBackward)

}  // namespace hone::kernels
