#include <cmath>

#include "kernels/cpu_launch.h"
#include "kernels/linear_logprob/arithmetic.h"

namespace hone::kernels {
namespace {

template <class T>
CpuWork cpu_work(const LogprobForward<T>& a) {
  return {a.M, a.V};
}

template <class T, class Logit>
HONE_INLINE void forward_row(const LogprobForward<T>& a, std::int64_t m, Logit logit) {
  const T* const __restrict products = a.logits + m * a.V;
  Wide<T> largest = logit.value(widen(products[0]));
#pragma omp simd reduction(max : largest)
  for (std::int64_t v = 0; v < a.V; ++v) {
    const Wide<T> value = logit.value(widen(products[v]));
    largest = value > largest ? value : largest;
  }
  Wide<T> sum = 0, weighted = 0;
#pragma omp simd reduction(+ : sum, weighted)
  for (std::int64_t v = 0; v < a.V; ++v) {
    const Wide<T> value = logit.value(widen(products[v]));
    const Wide<T> weight = logit_weight(value, largest);
    sum += weight;
    weighted += weight * (value - largest);
  }
  a.logsumexp[m] = largest + std::log(sum);
  a.logprobs[m] = logit.value(widen(products[a.targets[m]])) - a.logsumexp[m];
  if (a.entropies) a.entropies[m] = std::log(sum) - weighted / sum;
}

template <class T>
HONE_INLINE void cpu_item(const LogprobForward<T>& a, std::int64_t m) {
  if (is_plain(a.shape))
    forward_row(a, m, PlainLogit<Wide<T>>{a.shape});
  else
    forward_row(a, m, ShapedLogit<Wide<T>>{a.shape});
}

template <class T>
CpuWork cpu_work(const LogprobBackward<T>& a) {
  return {a.M, a.V};
}

template <class T, class Logit>
HONE_INLINE void backward_row(const LogprobBackward<T>& a, std::int64_t m, Logit logit) {
  T* const __restrict products = a.logits + m * a.V;
  const Wide<T> logsumexp = a.logsumexp[m];
  const Wide<T> scale = a.dlogprobs ? a.dlogprobs[m] : Wide<T>{1};
  const Wide<T> at_target = widen(products[a.targets[m]]);
  const Wide<T> target = scale * (1 + logit_gradient(logit.value(at_target), logsumexp));
  for (std::int64_t v = 0; v < a.V; ++v) {
    const Wide<T> product = widen(products[v]);
    products[v] =
        narrow<T>(scale * logit_gradient(logit.value(product), logsumexp) * logit.slope(product));
  }
  products[a.targets[m]] = narrow<T>(target * logit.slope(at_target));
}

template <class T>
HONE_INLINE void cpu_item(const LogprobBackward<T>& a, std::int64_t m) {
  if (is_plain(a.shape))
    backward_row(a, m, PlainLogit<Wide<T>>{a.shape});
  else
    backward_row(a, m, ShapedLogit<Wide<T>>{a.shape});
}

}  // namespace

HONE_CPU_LAUNCHERS(LogprobForward)
HONE_CPU_LAUNCHERS(LogprobBackward)

}  // namespace hone::kernels
