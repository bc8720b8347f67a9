#include "kernels/cuda/launch.cuh"
#include "kernels/stochastic_round/arithmetic.h"

namespace hone::kernels {
namespace {

constexpr int kThreads = static_cast<int>(kRoundGroups);

/// A block of threads a block of elements, a thread a group of random words.
template <class T>
__global__ void round_kernel(const StochasticRound<T> a) {
  const std::int64_t block = blockIdx.x;
  const std::uint64_t group = static_cast<std::uint64_t>(block * kRoundGroups + threadIdx.x);
  const Philox::Words words = Philox(a.seed)(a.counter_low + group, a.counter_high);
  for (std::int64_t field = 0; field < kRoundFields; ++field) {
    const std::int64_t i = block * kRoundBlock + field * kRoundGroups + threadIdx.x;
    if (i < a.size) a.y[i] = rounded_by_chance(a.x[i], round_bits(words.w[field / 2], field));
  }
}

}  // namespace

template <class T>
void launch_cuda(const StochasticRound<T>& args) {
  start("stochastic_round", round_kernel<T>, blocks_for(args.size, kRoundBlock), kThreads, args);
}

template void launch_cuda(const StochasticRound<Bf16>&);

}  // namespace hone::kernels
