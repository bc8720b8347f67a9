#include "kernels/cuda/launch.cuh"
#include "kernels/rms_norm/arithmetic.h"

namespace hone::kernels {
namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void forward_kernel(const RmsNormForward<T> a) {
  const std::int64_t n = blockIdx.x;
  const T* const x = a.x + n * a.x_stride;
  Wide<T> sum = 0;
  for (std::int64_t h = threadIdx.x; h < a.H; h += blockDim.x) sum += widen(x[h]) * widen(x[h]);
  const Wide<T> rstd = 1 / sqrt(block_sum(sum) / static_cast<Wide<T>>(a.H) + a.eps);
  if (threadIdx.x == 0) a.rstd[n] = rstd;
  for (std::int64_t h = threadIdx.x; h < a.H; h += blockDim.x)
    a.y[n * a.H + h] = rms_norm_value(x[h], rstd, a.weight[h], a.style);
}

template <class T>
__global__ void gradient_kernel(const RmsNormBackward<T> a) {
  const std::int64_t n = blockIdx.x;
  const T* const dy = a.dy + n * a.H;
  const T* const x = a.x + n * a.x_stride;
  const Wide<T> rstd = a.rstd[n];
  Wide<T> sum = 0;
  for (std::int64_t h = threadIdx.x; h < a.H; h += blockDim.x)
    sum += rms_norm_projection(dy[h], a.weight[h], x[h], rstd, a.style);
  const Wide<T> mean = block_sum(sum) / static_cast<Wide<T>>(a.H);
  for (std::int64_t h = threadIdx.x; h < a.H; h += blockDim.x)
    a.dx[n * a.H + h] = rms_norm_gradient(dy[h], a.weight[h], x[h], rstd, mean, a.style);
}

/// A thread a column of a block of rows.
template <class T>
__global__ void weight_gradient_kernel(const RmsNormBackward<T> a) {
  const std::int64_t columns = (a.H + blockDim.x - 1) / blockDim.x;
  const std::int64_t block = blockIdx.x / columns;
  const std::int64_t h = blockIdx.x % columns * blockDim.x + threadIdx.x;
  if (h >= a.H) return;
  Wide<T> sum = 0;
  for (std::int64_t n = block * kRmsNormBlock; n < min(a.N, (block + 1) * kRmsNormBlock); ++n)
    sum += rms_norm_weight_gradient(a.dy[n * a.H + h], a.x[n * a.x_stride + h], a.rstd[n], a.style);
  a.dweight[block * a.H + h] = sum;
}

}  // namespace

template <class T>
void launch_cuda(const RmsNormForward<T>& args) {
  start("rms_norm", forward_kernel<T>, args.N, kThreads, args);
}

template <class T>
void launch_cuda(const RmsNormBackward<T>& args) {
  if (args.dx) start("rms_norm", gradient_kernel<T>, args.N, kThreads, args);
  if (args.dweight)
    start("rms_norm", weight_gradient_kernel<T>,
          blocks_for(args.N, kRmsNormBlock) * blocks_for(args.H, kThreads), kThreads, args);
}

HONE_CUDA_LAUNCHERS(RmsNormForward)
HONE_CUDA_LAUNCHERS(RmsNormBackward)

}  // namespace hone::kernels
