#include "kernels/cuda/launch.cuh"
#include "kernels/swiglu/arithmetic.h"

namespace hone::kernels {
namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void forward_kernel(const SwigluForward<T> a) {
  const std::int64_t index = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const std::int64_t n = index / a.I, i = index % a.I;
  if (n >= a.N) return;
  a.y[index] = swiglu_value(a.gate[n * a.gate_stride + i], a.up[n * a.up_stride + i]);
}

template <class T>
__global__ void backward_kernel(const SwigluBackward<T> a) {
  const std::int64_t index = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const std::int64_t n = index / a.I, i = index % a.I;
  if (n >= a.N) return;
  const SwigluGradient<Wide<T>> gradient =
      swiglu_gradient(a.dy[index], a.gate[n * a.gate_stride + i], a.up[n * a.up_stride + i]);
  a.dgate[index] = narrow<T>(gradient.gate);
  a.dup[index] = narrow<T>(gradient.up);
}

}  // namespace

template <class T>
void launch_cuda(const SwigluForward<T>& args) {
  start("swiglu", forward_kernel<T>, blocks_for(args.N * args.I, kThreads), kThreads, args);
}

template <class T>
void launch_cuda(const SwigluBackward<T>& args) {
  start("swiglu", backward_kernel<T>, blocks_for(args.N * args.I, kThreads), kThreads, args);
}

HONE_CUDA_LAUNCHERS(SwigluForward)
HONE_CUDA_LAUNCHERS(SwigluBackward)

}  // namespace hone::kernels
