#include "kernels/cuda/launch.cuh"
#include "kernels/linear_logprob/arithmetic.h"

namespace hone::kernels {
namespace {

constexpr int kThreads = 512;

/// A block a row.
template <class T>
__global__ void forward_kernel(const LogprobForward<T> a) {
  const std::int64_t m = blockIdx.x;
  const T* const products = a.logits + m * a.V;
  const ShapedLogit<Wide<T>> logit{a.shape};
  Wide<T> largest = logit.value(widen(products[0]));
  for (std::int64_t v = threadIdx.x; v < a.V; v += blockDim.x) {
    const Wide<T> value = logit.value(widen(products[v]));
    largest = value > largest ? value : largest;
  }
  largest = block_reduce(largest, largest, [](Wide<T> x) { return warp_max(x); });
  Wide<T> sum = 0, weighted = 0;
  for (std::int64_t v = threadIdx.x; v < a.V; v += blockDim.x) {
    const Wide<T> value = logit.value(widen(products[v]));
    const Wide<T> weight = logit_weight(value, largest);
    sum += weight;
    weighted += weight * (value - largest);
  }
  sum = block_sum(sum);
  weighted = block_sum(weighted);
  if (threadIdx.x != 0) return;
  a.logsumexp[m] = largest + log(sum);
  a.logprobs[m] = logit.value(widen(products[a.targets[m]])) - a.logsumexp[m];
  if (a.entropies) a.entropies[m] = log(sum) - weighted / sum;
}

template <class T>
__global__ void backward_kernel(const LogprobBackward<T> a) {
  const std::int64_t m = blockIdx.x, target = a.targets[m];
  T* const products = a.logits + m * a.V;
  const ShapedLogit<Wide<T>> logit{a.shape};
  const Wide<T> logsumexp = a.logsumexp[m];
  const Wide<T> scale = a.dlogprobs ? a.dlogprobs[m] : Wide<T>{1};
  for (std::int64_t v = threadIdx.x; v < a.V; v += blockDim.x) {
    const Wide<T> product = widen(products[v]);
    const Wide<T> gradient = logit_gradient(logit.value(product), logsumexp);
    products[v] = narrow<T>(scale * (v == target ? 1 + gradient : gradient) * logit.slope(product));
  }
}

}  // namespace

template <class T>
void launch_cuda(const LogprobForward<T>& args) {
  start("linear_logprob", forward_kernel<T>, args.M, kThreads, args);
}

template <class T>
void launch_cuda(const LogprobBackward<T>& args) {
  start("linear_logprob", backward_kernel<T>, args.M, kThreads, args);
}

HONE_CUDA_LAUNCHERS(LogprobForward)
HONE_CUDA_LAUNCHERS(LogprobBackward)

}  // namespace hone::kernels
