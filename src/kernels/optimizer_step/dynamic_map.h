#pragma once

#include <ATen/core/Tensor.h>

namespace hone::kernels {

/// The 256 values, ascending, that 8-bit codes stand for where small numbers need as many digits as
/// large ones: seven decades below 1, the lower ones with fewer fractions.
/// @param is_signed whether half of them are negative; a second moment needs none that are
/// @return [256] f32 on the CPU, from −0.993 or 0 to 1
/// @source arXiv:2110.02861, section 2.1; the values are those of bitsandbytes' create_dynamic_map
at::Tensor dynamic_map(bool is_signed);

}  // namespace hone::kernels
