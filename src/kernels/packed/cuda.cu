#include "kernels/cuda/launch.cuh"
#include "kernels/packed/arithmetic.h"

namespace hone::kernels {
namespace {

constexpr int kThreads = 256;

template <class T>
__device__ T value_at(const PackedView& from, std::int64_t i) {
  const std::int64_t block = i / from.blocksize;
  const float scale = block_scale(from.scales, block), zero = block_zero(from.zeros, block);
  if (from.kind == PackedCodes::kFourBit)
    return mapped_value<T>(from.map[four_bit_code(from.codes, i)], zero, scale);
  if (from.kind == PackedCodes::kEightBit)
    return mapped_value<T>(from.map[from.codes[i]], zero, scale);
  return integer_value<T>(static_cast<std::int8_t>(from.codes[i]), scale);
}

template <class T>
__global__ void dequantize_kernel(const Dequantize<T> a) {
  const std::int64_t index = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const std::int64_t row = index / a.columns, column = index % a.columns;
  if (row >= a.rows) return;
  a.out[row * a.out_stride + column] =
      value_at<T>(a.from, (a.first_row + row) * a.from.columns + a.first_column + column);
}

}  // namespace

template <class T>
void launch_cuda(const Dequantize<T>& args) {
  start("dequantize", dequantize_kernel<T>, blocks_for(args.rows * args.columns, kThreads),
        kThreads, args);
}

HONE_CUDA_LAUNCHERS(Dequantize)

}  // namespace hone::kernels
