#pragma once

#include <cuda_runtime_api.h>

namespace hone::kernels {

/// LibTorch's current stream on the current device.
cudaStream_t current_stream();

/// @throws hone::Error naming the operation when CUDA refused the call or an earlier launch
void check_cuda(cudaError_t status, const char* op);

}  // namespace hone::kernels
