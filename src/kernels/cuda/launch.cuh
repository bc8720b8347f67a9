#pragma once

#include "kernels/cuda/runtime.h"
#include "kernels/number.h"

// Gives launch_cuda for an operation's arguments in every storage type.
#define HONE_CUDA_LAUNCHERS(Op)                \
  template void launch_cuda(const Op<float>&); \
  template void launch_cuda(const Op<Bf16>&);  \
  template void launch_cuda(const Op<Fp16>&);  \
  template void launch_cuda(const Op<double>&);

namespace hone::kernels {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xFFFFFFFFu;

template <class W>
__device__ W warp_sum(W value) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2)
    value += __shfl_xor_sync(kAllLanes, value, offset);
  return value;
}

template <class W>
__device__ W warp_max(W value) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    const W other = __shfl_xor_sync(kAllLanes, value, offset);
    value = other > value ? other : value;
  }
  return value;
}

/// Combines one value of every thread of a block of whole warps; every thread gets the result. The
/// order is fixed, so equal inputs give equal bits.
template <class W, class WarpReduce>
__device__ W block_reduce(W value, W identity, WarpReduce warp_reduce) {
  __shared__ W partial[kWarp];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  value = warp_reduce(value);
  __syncthreads();  // of an earlier call, all have read
  if (lane == 0) partial[warp] = value;
  __syncthreads();
  return warp_reduce(lane < static_cast<int>(blockDim.x) / kWarp ? partial[lane] : identity);
}

template <class W>
__device__ W block_sum(W value) {
  return block_reduce(value, W{0}, [](W v) { return warp_sum(v); });
}

/// Starts `kernel` on the current stream, unless there is nothing to do.
template <class Kernel, class... Args>
void start(const char* op, Kernel kernel, std::int64_t blocks, int threads, const Args&... args) {
  if (blocks == 0) return;
  kernel<<<static_cast<unsigned>(blocks), threads, 0, current_stream()>>>(args...);
  check_cuda(cudaGetLastError(), op);
}

inline std::int64_t blocks_for(std::int64_t items, std::int64_t items_per_block) {
  return (items + items_per_block - 1) / items_per_block;
}

}  // namespace hone::kernels
