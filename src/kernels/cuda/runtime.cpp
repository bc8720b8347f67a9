#include "kernels/cuda/runtime.h"

#include <c10/cuda/CUDAStream.h>

#include "base/error.h"

namespace hone::kernels {

cudaStream_t current_stream() { return c10::cuda::getCurrentCUDAStream().stream(); }

void check_cuda(cudaError_t status, const char* op) {
  HONE_CHECK(Error, status == cudaSuccess, "{}: CUDA reports: {} ({})", op,
             cudaGetErrorString(status), cudaGetErrorName(status));
}

}  // namespace hone::kernels
