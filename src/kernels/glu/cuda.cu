#include "kernels/cuda/launch.cuh"
#include "kernels/glu/arithmetic.h"

namespace hone::kernels {
namespace {

constexpr int kThreads = 256;

template <class Act, class T>
__global__ void forward_kernel(const GluForward<T> a) {
  const std::int64_t index = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const std::int64_t n = index / a.I, i = index % a.I;
  if (n >= a.N) return;
  a.y[index] = glu_value<Act>(a.gate[n * a.gate_stride + i], a.up[n * a.up_stride + i]);
}

template <class Act, class T>
__global__ void backward_kernel(const GluBackward<T> a) {
  const std::int64_t index = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const std::int64_t n = index / a.I, i = index % a.I;
  if (n >= a.N) return;
  const GluGradient<Wide<T>> gradient =
      glu_gradient<Act>(a.dy[index], a.gate[n * a.gate_stride + i], a.up[n * a.up_stride + i]);
  a.dgate[index] = narrow<T>(gradient.gate);
  a.dup[index] = narrow<T>(gradient.up);
}

}  // namespace

template <class T>
void launch_cuda(const GluForward<T>& args) {
  const auto kernel =
      args.activation == Activation::kSilu ? forward_kernel<Silu, T> : forward_kernel<GeluTanh, T>;
  start("glu", kernel, blocks_for(args.N * args.I, kThreads), kThreads, args);
}

template <class T>
void launch_cuda(const GluBackward<T>& args) {
  const auto kernel = args.activation == Activation::kSilu ? backward_kernel<Silu, T>
                                                           : backward_kernel<GeluTanh, T>;
  start("glu", kernel, blocks_for(args.N * args.I, kThreads), kThreads, args);
}

HONE_CUDA_LAUNCHERS(GluForward)
HONE_CUDA_LAUNCHERS(GluBackward)

}  // namespace hone::kernels
