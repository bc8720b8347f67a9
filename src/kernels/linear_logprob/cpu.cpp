#include <cmath>

#include "kernels/cpu_launch.h"
#include "kernels/linear_logprob/arithmetic.h"

namespace hone::kernels {
namespace {

template <class T>
CpuWork cpu_work(const LogprobForward<T>& a) {
  return {a.M, a.V};
}

template <class T>
HONE_INLINE void cpu_item(const LogprobForward<T>& a, std::int64_t m) {
  const T* const __restrict logits = a.logits + m * a.V;
  Wide<T> largest = widen(logits[0]);
#pragma omp simd reduction(max : largest)
  for (std::int64_t v = 0; v < a.V; ++v) {
    const Wide<T> logit = widen(logits[v]);
    largest = logit > largest ? logit : largest;
  }
  Wide<T> sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t v = 0; v < a.V; ++v) sum += logit_weight(logits[v], largest);
  a.logsumexp[m] = largest + std::log(sum);
  a.logprobs[m] = widen(logits[a.targets[m]]) - a.logsumexp[m];
}

template <class T>
CpuWork cpu_work(const LogprobBackward<T>& a) {
  return {a.M, a.V};
}

template <class T>
HONE_INLINE void cpu_item(const LogprobBackward<T>& a, std::int64_t m) {
  T* const __restrict logits = a.logits + m * a.V;
  const Wide<T> logsumexp = a.logsumexp[m];
  const Wide<T> scale = a.dlogprobs ? a.dlogprobs[m] : Wide<T>{1};
  const Wide<T> target = scale * (1 + logit_gradient(logits[a.targets[m]], logsumexp));
  for (std::int64_t v = 0; v < a.V; ++v)
    logits[v] = narrow<T>(scale * logit_gradient(logits[v], logsumexp));
  logits[a.targets[m]] = narrow<T>(target);
}

}  // namespace

HONE_CPU_LAUNCHERS(LogprobForward)
HONE_CPU_LAUNCHERS(LogprobBackward)

}  // namespace hone::kernels
