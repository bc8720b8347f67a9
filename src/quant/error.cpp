#include "quant/error.h"

#include <torch/types.h>

#include "base/error.h"

namespace hone::quant {

MatrixError error_of(const at::Tensor& exact, const at::Tensor& kept, double sigma) {
  HONE_CHECK(ShapeError, exact.sizes() == kept.sizes(), "error_of: two sizes of matrices");
  if (exact.numel() == 0) return {};
  const torch::Tensor numbers = exact.to(torch::kFloat64);
  const torch::Tensor difference = (kept.to(torch::kFloat64) - numbers).abs();
  const double norm = numbers.norm().item<double>(), lost = difference.norm().item<double>();
  const torch::Tensor centred = (numbers - numbers.mean()).abs();
  const double deviation = centred.square().mean().sqrt().item<double>();
  return {.largest = difference.max().item<double>(),
          .mean = difference.mean().item<double>(),
          .relative = lost == 0 ? 0 : lost / norm,
          .outliers = centred.gt(sigma * deviation).sum().item<std::int64_t>(),
          .count = exact.numel()};
}

}  // namespace hone::quant
