#include <algorithm>

#include "kernels/cuda/launch.cuh"
#include "kernels/optimizer_step/arithmetic.h"

namespace hone::kernels {
namespace {

constexpr int kThreads = static_cast<int>(kStepBlock);

/// Chunks travel as the kernel's argument (4 KB at most), so many at a time.
constexpr std::int64_t kChunksPerLaunch = 32;
struct Chunks {
  StepChunk chunk[kChunksPerLaunch];
};

/// A block of threads a chunk.
template <class Rule>
__global__ void step_kernel(const Chunks chunks, const Rule rule) {
  const StepChunk& c = chunks.chunk[blockIdx.x];
  for (std::int64_t i = threadIdx.x; i < c.size; i += kThreads) {
    float s[kMaxStepStates];
    for (int k = 0; k < Rule::kStates; ++k) s[k] = c.states[k][i];
    c.parameter[i] = stepped(rule, c.rates, c.parameter[i], c.gradient[i], s);
    for (int k = 0; k < Rule::kStates; ++k) c.states[k][i] = s[k];
  }
}

__device__ float block_max(float value) {
  return block_reduce(value, 0.0f, [](float v) { return warp_max(v); });
}

struct Maps {
  const float* map[kMaxStepStates];
};

/// A block of threads a chunk, a thread an element of each of its blocks in turn.
template <class Rule>
__global__ void blockwise_kernel(const Chunks chunks, const Rule rule, const Maps maps) {
  const StepChunk& c = chunks.chunk[blockIdx.x];
  for (std::int64_t begin = 0; begin < c.size; begin += kStepBlock) {
    const std::int64_t i = begin + threadIdx.x, block = begin / kStepBlock;
    float s[kMaxStepStates] = {};
    if (i < c.size) {
      for (int k = 0; k < Rule::kStates; ++k)
        s[k] = maps.map[k][c.codes[k][i]] * c.absmax[k][block];
      c.parameter[i] = stepped(rule, c.rates, c.parameter[i], c.gradient[i], s);
    }
    for (int k = 0; k < Rule::kStates; ++k) {
      const float absmax = block_max(std::abs(s[k]));
      if (i < c.size)
        c.codes[k][i] = static_cast<std::uint8_t>(
            nearest_code(maps.map[k], s[k] / (absmax > 0 ? absmax : 1.0f)));
      if (threadIdx.x == 0) c.absmax[k][block] = absmax;
    }
  }
}

template <class Start>
void in_portions(const StepChunk* all, std::int64_t count, Start start_portion) {
  for (std::int64_t first = 0; first < count; first += kChunksPerLaunch) {
    const std::int64_t portion = std::min(kChunksPerLaunch, count - first);
    Chunks chunks;
    std::copy(all + first, all + first + portion, chunks.chunk);
    start_portion(chunks, portion);
  }
}

}  // namespace

template <class Rule>
void launch_cuda(const OptimizerStep<Rule>& args) {
  in_portions(args.chunks, args.count, [&](const Chunks& chunks, std::int64_t portion) {
    start("optimizer_step", step_kernel<Rule>, portion, kThreads, chunks, args.rule);
  });
}

template <class Rule>
void launch_cuda(const BlockwiseStep<Rule>& args) {
  const Maps maps{{args.maps[0], args.maps[1], args.maps[2]}};
  in_portions(args.chunks, args.count, [&](const Chunks& chunks, std::int64_t portion) {
    start("optimizer_step", blockwise_kernel<Rule>, portion, kThreads, chunks, args.rule, maps);
  });
}

template void launch_cuda(const OptimizerStep<AdamRule>&);
template void launch_cuda(const OptimizerStep<AmsgradRule>&);
template void launch_cuda(const OptimizerStep<AdagradRule>&);
template void launch_cuda(const OptimizerStep<PlainRmspropRule>&);
template void launch_cuda(const OptimizerStep<CentredRmspropRule>&);
template void launch_cuda(const OptimizerStep<MomentumRmspropRule>&);
template void launch_cuda(const OptimizerStep<CentredMomentumRmspropRule>&);
template void launch_cuda(const OptimizerStep<PlainSgdRule>&);
template void launch_cuda(const OptimizerStep<SgdRule>&);
template void launch_cuda(const OptimizerStep<LionRule>&);
template void launch_cuda(const BlockwiseStep<AdamRule>&);
template void launch_cuda(const BlockwiseStep<LionRule>&);

}  // namespace hone::kernels
