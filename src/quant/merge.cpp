#include "quant/merge.h"

#include <torch/types.h>

#include "quant/quantize.h"

namespace hone::quant {

Merged merge(const kernels::PackedMatrix& base, const at::Tensor& update) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor sum =
      kernels::dequantize(base, torch::kFloat32).cpu() + update.detach().to(torch::kFloat32).cpu();
  const kernels::PackedMatrix packed = quantize(sum, recipe_of(base));
  return {kernels::to_device(packed, base.codes.device()),
          error_of(sum, kernels::dequantize(packed, torch::kFloat32))};
}

}  // namespace hone::quant
