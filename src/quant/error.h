#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace hone::quant {

/// What a matrix lost.
struct MatrixError {
  double largest = 0;         ///< largest |difference|
  double mean = 0;            ///< mean |difference|
  double relative = 0;        ///< ‖difference‖ / ‖exact‖, 0 where both are
  std::int64_t outliers = 0;  ///< exact numbers beyond so many standard deviations from their mean
  std::int64_t count = 0;     ///< exact numbers

  double outlier_share() const { return count == 0 ? 0 : double(outliers) / double(count); }
};

/// What makes a number an outlier, in standard deviations.
inline constexpr double kOutlierSigma = 6;

/// @param exact,kept the same sizes, any float dtype; computed in fp64
MatrixError error_of(const at::Tensor& exact, const at::Tensor& kept, double sigma = kOutlierSigma);

}  // namespace hone::quant
