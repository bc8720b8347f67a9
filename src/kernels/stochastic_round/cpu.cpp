#include <algorithm>

#include "kernels/cpu_launch.h"
#include "kernels/stochastic_round/arithmetic.h"

namespace hone::kernels {
namespace {

template <class T>
CpuWork cpu_work(const StochasticRound<T>& a) {
  return {(a.size + kRoundBlock - 1) / kRoundBlock, kRoundBlock};
}

template <class T>
HONE_INLINE void cpu_item(const StochasticRound<T>& a, std::int64_t block) {
  std::uint32_t words[4][kRoundGroups];
  const Philox random(a.seed);
  const std::uint64_t first = a.counter_low + static_cast<std::uint64_t>(block * kRoundGroups);
  for (std::int64_t g = 0; g < kRoundGroups; ++g) {
    const Philox::Words made = random(first + static_cast<std::uint64_t>(g), a.counter_high);
    for (int w = 0; w < 4; ++w) words[w][g] = made.w[w];
  }
  const float* const __restrict x = a.x + block * kRoundBlock;
  T* const __restrict y = a.y + block * kRoundBlock;
  const std::int64_t size = std::min(kRoundBlock, a.size - block * kRoundBlock);
  for (std::int64_t field = 0; field * kRoundGroups < size; ++field) {
    const std::int64_t begin = field * kRoundGroups;
    const std::int64_t count = std::min(kRoundGroups, size - begin);
    const std::uint32_t* const __restrict word = words[field / 2];
    for (std::int64_t g = 0; g < count; ++g)
      y[begin + g] = rounded_by_chance(x[begin + g], round_bits(word[g], field));
  }
}

}  // namespace

HONE_CPU_LAUNCHER_FOR(StochasticRound, Bf16)

}  // namespace hone::kernels
