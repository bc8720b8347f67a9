#pragma once

#include "kernels/number.h"

namespace hone::kernels {

/// Rows whose share of the weight's gradient is summed together: fixed, so that the sum is the same
/// for any number of threads.
constexpr std::int64_t kRmsNormBlock = 32;

/// See RmsNormStyle.
template <class W>
struct NormWeighting {
  W offset;
  bool round_first;
};

template <class T>
struct RmsNormForward {
  const T* x;  // [N, H], rows x_stride apart
  std::int64_t x_stride;
  const T* weight;  // [H]
  T* y;             // [N, H]
  Wide<T>* rstd;    // [N]
  std::int64_t N, H;
  Wide<T> eps;
  NormWeighting<Wide<T>> style;
};

template <class T>
struct RmsNormBackward {
  const T* dy;  // [N, H]
  const T* x;   // [N, H], rows x_stride apart
  std::int64_t x_stride;
  const T* weight;      // [H]
  const Wide<T>* rstd;  // [N]
  T* dx;                // [N, H], or null where it is not wanted
  Wide<T>* dweight;     // [ceil(N / kRmsNormBlock), H] sums by block of rows, or null
  std::int64_t N, H;
  NormWeighting<Wide<T>> style;
};

/// What meets the weight.
template <class T>
HONE_HOST_DEVICE Wide<T> rms_normalised(T x, Wide<T> rstd, const NormWeighting<Wide<T>>& style) {
  const Wide<T> exact = widen(x) * rstd;
  return style.round_first ? widen(narrow<T>(exact)) : exact;
}

/// One output: normalised, then scaled.
template <class T>
HONE_HOST_DEVICE T rms_norm_value(T x, Wide<T> rstd, T weight,
                                  const NormWeighting<Wide<T>>& style) {
  return narrow<T>(rms_normalised(x, rstd, style) * (widen(weight) + style.offset));
}

/// One summand of `mean` below: dx̂ · x̂, with x̂ = x · rstd and dx̂ = dy · weight.
template <class T>
HONE_HOST_DEVICE Wide<T> rms_norm_projection(T dy, T weight, T x, Wide<T> rstd,
                                             const NormWeighting<Wide<T>>& style) {
  return widen(dy) * (widen(weight) + style.offset) * (widen(x) * rstd);
}

/// dx = rstd · (dx̂ − x̂ · mean(dx̂ · x̂))
template <class T>
HONE_HOST_DEVICE T rms_norm_gradient(T dy, T weight, T x, Wide<T> rstd, Wide<T> mean,
                                     const NormWeighting<Wide<T>>& style) {
  return narrow<T>(rstd * (widen(dy) * (widen(weight) + style.offset) - widen(x) * rstd * mean));
}

/// One row's share of the weight's gradient.
template <class T>
HONE_HOST_DEVICE Wide<T> rms_norm_weight_gradient(T dy, T x, Wide<T> rstd,
                                                  const NormWeighting<Wide<T>>& style) {
  return widen(dy) * rms_normalised(x, rstd, style);
}

template <class T>
void launch_cpu(const RmsNormForward<T>& args);
template <class T>
void launch_cpu(const RmsNormBackward<T>& args);

}  // namespace hone::kernels
