#pragma once

#include "kernels/optimizer_step/rules.h"

namespace hone::kernels {

/// Neighbouring elements of one parameter and of what an optimizer keeps of them. The codes and
/// absmax of 8-bit states stand for fp32 states, block by block of kStepBlock elements.
struct StepChunk {
  float* parameter;
  const float* gradient;
  float* states[kMaxStepStates];        // fp32 states
  std::uint8_t* codes[kMaxStepStates];  // 8-bit states; the chunk begins with a block
  float* absmax[kMaxStepStates];        // one number a block
  std::int64_t size;
  StepRates rates;
};

/// Elements of a chunk at most: fixed, so that no result depends on the number of threads.
constexpr std::int64_t kStepChunk = 16384;

/// One update of many parameters at once, with fp32 states.
template <class Rule>
struct OptimizerStep {
  const StepChunk* chunks;
  std::int64_t count;
  Rule rule;
};

/// The same with 8-bit states. maps[s]: the 256 values that the codes of state s stand for,
/// ascending.
template <class Rule>
struct BlockwiseStep {
  const StepChunk* chunks;
  std::int64_t count;
  Rule rule;
  const float* maps[kMaxStepStates];
};

/// θ ← shrink · θ − rate · u(g + l2 · θ)
template <class Rule>
HONE_HOST_DEVICE float stepped(const Rule& rule, const StepRates& rates, float parameter,
                               float gradient, float* states) {
  const float update = rule.update(gradient + rates.l2 * parameter, states);
  return parameter * rates.shrink - rates.rate * update;
}

/// The code whose value is nearest to x: the number of midpoints between neighbours below x.
HONE_HOST_DEVICE int nearest_code(const float* map, float x) {
  int code = 0;
  for (int half = 128; half > 0; half /= 2) {
    const int right = code + half;
    code = 0.5f * (map[right - 1] + map[right]) < x ? right : code;
  }
  return code;
}

template <class Rule>
void launch_cpu(const OptimizerStep<Rule>& args);
template <class Rule>
void launch_cpu(const BlockwiseStep<Rule>& args);

}  // namespace hone::kernels
