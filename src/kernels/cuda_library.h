#pragma once

#include "kernels/cuda/table.h"

namespace hone::kernels {

/// Opens libhone_cuda.so, which brings LibTorch's CUDA side along. It is looked for beside the
/// program, in ../lib from there, then where the loader looks. Again is nothing. Call it before
/// anything asks LibTorch about CUDA: LibTorch remembers the first answer.
/// @throws Error with the loader's reason when it is missing or cannot be opened, and when it is
///         of another build
void load_cuda();

bool cuda_is_loaded();

/// @throws Error before load_cuda()
const CudaTable& cuda_table();

}  // namespace hone::kernels
