#include <algorithm>

#include "kernels/cpu_launch.h"
#include "kernels/optimizer_step/arithmetic.h"

namespace hone::kernels {
namespace {

/// Moves an element's states between their arrays and the few numbers that a rule sees.
template <int kStates>
HONE_INLINE void load(float* states, const float* s0, const float* s1, const float* s2,
                      std::int64_t i) {
  if constexpr (kStates > 0) states[0] = s0[i];
  if constexpr (kStates > 1) states[1] = s1[i];
  if constexpr (kStates > 2) states[2] = s2[i];
}

template <int kStates>
HONE_INLINE void store(const float* states, float* s0, float* s1, float* s2, std::int64_t i) {
  if constexpr (kStates > 0) s0[i] = states[0];
  if constexpr (kStates > 1) s1[i] = states[1];
  if constexpr (kStates > 2) s2[i] = states[2];
}

template <class Rule>
HONE_INLINE void step_elements(const Rule rule, const StepRates rates, float* parameters,
                               const float* gradients, float* const* states, std::int64_t size) {
  float* const __restrict p = parameters;
  const float* const __restrict g = gradients;
  float* const __restrict s0 = states[0];
  float* const __restrict s1 = states[1];
  float* const __restrict s2 = states[2];
  for (std::int64_t i = 0; i < size; ++i) {
    float s[kMaxStepStates];
    load<Rule::kStates>(s, s0, s1, s2, i);
    p[i] = stepped(rule, rates, p[i], g[i], s);
    store<Rule::kStates>(s, s0, s1, s2, i);
  }
}

HONE_INLINE void unpack(const float* map, const std::uint8_t* codes, float absmax, float* values,
                        std::int64_t size) {
  for (std::int64_t i = 0; i < size; ++i) values[i] = map[codes[i]] * absmax;
}

HONE_INLINE float pack(const float* map, const float* values, std::uint8_t* codes,
                       std::int64_t size) {
  float absmax = 0;
#pragma omp simd reduction(max : absmax)
  for (std::int64_t i = 0; i < size; ++i) absmax = std::max(absmax, std::abs(values[i]));
  const float scale = absmax > 0 ? absmax : 1.0f;
  int nearest[kStepBlock];
  for (std::int64_t i = 0; i < size; ++i) nearest[i] = nearest_code(map, values[i] / scale);
  for (std::int64_t i = 0; i < size; ++i) codes[i] = static_cast<std::uint8_t>(nearest[i]);
  return absmax;
}

template <class Rule>
HONE_INLINE void step_block(const BlockwiseStep<Rule>& a, const StepChunk& chunk,
                            std::int64_t begin) {
  const std::int64_t size = std::min(kStepBlock, chunk.size - begin);
  float values[kMaxStepStates][kStepBlock];
  float* const states[] = {values[0], values[1], values[2]};
  for (int s = 0; s < Rule::kStates; ++s)
    unpack(a.maps[s], chunk.codes[s] + begin, chunk.absmax[s][begin / kStepBlock], states[s], size);
  step_elements(a.rule, chunk.rates, chunk.parameter + begin, chunk.gradient + begin, states, size);
  for (int s = 0; s < Rule::kStates; ++s)
    chunk.absmax[s][begin / kStepBlock] = pack(a.maps[s], states[s], chunk.codes[s] + begin, size);
}

template <class Rule>
CpuWork cpu_work(const OptimizerStep<Rule>& a) {
  return {a.count, kStepChunk};
}

template <class Rule>
HONE_INLINE void cpu_item(const OptimizerStep<Rule>& a, std::int64_t i) {
  const StepChunk& chunk = a.chunks[i];
  step_elements(a.rule, chunk.rates, chunk.parameter, chunk.gradient, chunk.states, chunk.size);
}

template <class Rule>
CpuWork cpu_work(const BlockwiseStep<Rule>& a) {
  return {a.count, kStepChunk};
}

template <class Rule>
HONE_INLINE void cpu_item(const BlockwiseStep<Rule>& a, std::int64_t i) {
  const StepChunk& chunk = a.chunks[i];
  for (std::int64_t begin = 0; begin < chunk.size; begin += kStepBlock) step_block(a, chunk, begin);
}

}  // namespace

HONE_CPU_LAUNCHER_FOR(OptimizerStep, AdamRule)
HONE_CPU_LAUNCHER_FOR(OptimizerStep, AmsgradRule)
HONE_CPU_LAUNCHER_FOR(OptimizerStep, AdagradRule)
HONE_CPU_LAUNCHER_FOR(OptimizerStep, PlainRmspropRule)
HONE_CPU_LAUNCHER_FOR(OptimizerStep, CentredRmspropRule)
HONE_CPU_LAUNCHER_FOR(OptimizerStep, MomentumRmspropRule)
HONE_CPU_LAUNCHER_FOR(OptimizerStep, CentredMomentumRmspropRule)
HONE_CPU_LAUNCHER_FOR(OptimizerStep, PlainSgdRule)
HONE_CPU_LAUNCHER_FOR(OptimizerStep, SgdRule)
HONE_CPU_LAUNCHER_FOR(OptimizerStep, LionRule)
HONE_CPU_LAUNCHER_FOR(BlockwiseStep, AdamRule)
HONE_CPU_LAUNCHER_FOR(BlockwiseStep, LionRule)

}  // namespace hone::kernels
