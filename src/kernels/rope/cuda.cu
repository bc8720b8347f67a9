#include "kernels/cuda/launch.cuh"
#include "kernels/rope/arithmetic.h"

namespace hone::kernels {
namespace {

constexpr int kThreads = 256;

/// A thread a pair, or an element past the pairs.
template <class T>
__global__ void rope_kernel(const Rope<T> a) {
  const std::int64_t per_head = a.head_dim - a.half;
  const std::int64_t index = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const std::int64_t i = index % per_head, head = index / per_head % a.heads;
  const std::int64_t n = index / per_head / a.heads;
  if (n >= a.N) return;
  const T* const x = a.x + n * a.token_stride + head * a.head_stride;
  T* const y = a.y + (n * a.heads + head) * a.head_dim;
  if (i >= a.half) {
    y[i + a.half] = x[i + a.half];
    return;
  }
  const RopePair<Wide<T>> turned =
      rope_pair(x[i], x[i + a.half], a.cos[n * a.half + i], a.direction * a.sin[n * a.half + i]);
  y[i] = narrow<T>(turned.low);
  y[i + a.half] = narrow<T>(turned.high);
}

}  // namespace

template <class T>
void launch_cuda(const Rope<T>& args) {
  const std::int64_t items = args.N * args.heads * (args.head_dim - args.half);
  start("rope", rope_kernel<T>, blocks_for(items, kThreads), kThreads, args);
}

HONE_CUDA_LAUNCHERS(Rope)

}  // namespace hone::kernels
