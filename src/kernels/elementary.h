#pragma once

#include <cmath>
#include <limits>

#include "kernels/number.h"

namespace hone::kernels {

/// e^x in a form that compilers vectorise: e^x = 2^n · e^r, n = round(x / ln 2), |r| ≤ ln 2 / 2,
/// with a minimax polynomial for (e^r − 1 − r) / r² (relative error of e^r below 2^−28 before
/// rounding). Within 2 ulp on [−87.3, 88.3]; exactly 0 below that, constant above it; NaN stays
/// NaN.
HONE_HOST_DEVICE float exponential(float x) {
  constexpr float kLowest = -87.3f, kHighest = 88.3f;
  constexpr float kRound = 12582912.0f;  // 1.5 · 2^23: adding it leaves the nearest integer
  const float above = x < kLowest ? kLowest : x;
  const float clamped = above > kHighest ? kHighest : above;
  const float shifted = clamped * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts
  float p = 1.3814540579915047e-3f;
  p = p * r + 8.36874544620514e-3f;
  p = p * r + 4.166838899254799e-2f;
  p = p * r + 1.666652113199234e-1f;
  p = p * r + 4.999999403953552e-1f;
  const float e_r = (p * r) * r + r + 1.0f;
  const std::uint32_t exponent =
      std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(kRound) + 127u;
  const float power = std::bit_cast<float>(exponent << 23);
  const float inside = x < kLowest ? 0.0f : e_r * power;
  return x > kHighest ? std::numeric_limits<float>::infinity() : inside;
}

HONE_HOST_DEVICE double exponential(double x) { return std::exp(x); }

/// tanh x in a form that compilers vectorise: x · (1 + x² p(x²)) near 0, with a minimax polynomial
/// p, and 1 − 2 / (e^2x + 1) beyond, where nothing cancels. Within 4 ulp; NaN stays NaN.
/// @source the range of the polynomial and its degree: Cephes, single/tanhf.c
HONE_HOST_DEVICE float hyperbolic_tangent(float x) {
  const float z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float near = p * z * x + x;
  const float far = 1.0f - 2.0f / (exponential(2.0f * x) + 1.0f);
  return z < 0.625f * 0.625f ? near : far;
}

HONE_HOST_DEVICE double hyperbolic_tangent(double x) { return std::tanh(x); }

}  // namespace hone::kernels
