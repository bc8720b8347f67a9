#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/rms_norm/style.h"

namespace hone::kernels {

/// Root-mean-square normalisation of each row, differentiable:
/// y = round(x · rstd) · weight with rstd = 1 / √(mean(x²) + eps), computed in fp32 (fp64 for fp64
/// input), and rounded to x's dtype before the multiplication by the weight, as transformers'
/// LlamaRMSNorm does; families differ here, which `style` says. Keeps x and rstd [N] for the
/// backward pass.
/// The gradient of the weight is summed over fixed blocks of rows, so that it does not depend on
/// the number of threads.
/// @param x_NH     [N, H] f32, bf16, fp16 or f64; rows may be strided, elements of a row adjacent
/// @param weight_H [H], x's dtype; its gradient is computed only where it requires one
/// @return [N, H], x's dtype, contiguous
/// @throws ShapeError when the sizes, dtypes or devices do not fit
/// @source arXiv:1910.07467, eq. 4
at::Tensor rms_norm(const at::Tensor& x_NH, const at::Tensor& weight_H, double eps,
                    const RmsNormStyle& style = {});

}  // namespace hone::kernels
