#include "kernels/cuda/launch.cuh"
#include "kernels/dropout/arithmetic.h"

namespace hone::kernels {
namespace {

constexpr int kThreads = 256;

/// A thread a group of four elements.
template <class T>
__global__ void dropout_kernel(const Dropout<T> a) {
  const std::int64_t groups = dropout_groups(a.H);
  const std::int64_t index = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const std::int64_t n = index / groups, g = index % groups;
  if (n >= a.N) return;
  const Philox::Words words = dropout_words(a, n, g);
  for (int w = 0; w < 4; ++w) {
    const std::int64_t h = w * groups + g;
    if (h < a.H) a.y[n * a.H + h] = dropout_value(a.x[n * a.x_stride + h], words.w[w], a.p);
  }
}

}  // namespace

template <class T>
void launch_cuda(const Dropout<T>& args) {
  start("dropout", dropout_kernel<T>, blocks_for(args.N * dropout_groups(args.H), kThreads),
        kThreads, args);
}

HONE_CUDA_LAUNCHERS(Dropout)

}  // namespace hone::kernels
