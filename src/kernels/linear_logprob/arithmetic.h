#pragma once

#include "kernels/elementary.h"

namespace hone::kernels {

/// One chunk of logits: its log-probabilities, and what the backward pass needs of it.
template <class T>
struct LogprobForward {
  const T* logits;              // [M, V]
  const std::int64_t* targets;  // [M]
  Wide<T>* logprobs;            // [M]
  Wide<T>* logsumexp;           // [M]
  std::int64_t M, V;
};

/// Turns logits into the gradient of Σ_m dlogprobs[m] · logprobs[m] in place.
template <class T>
struct LogprobBackward {
  T* logits;                    // [M, V], overwritten
  const std::int64_t* targets;  // [M]
  const Wide<T>* logsumexp;     // [M]
  const Wide<T>* dlogprobs;     // [M], or null for ones
  std::int64_t M, V;
};

/// A logit's weight in the sum under the logarithm, against the row's largest.
template <class T>
HONE_HOST_DEVICE Wide<T> logit_weight(T logit, Wide<T> largest) {
  return exponential(widen(logit) - largest);
}

/// d logprob / d logit for a token that is not the target: −softmax.
template <class T>
HONE_HOST_DEVICE Wide<T> logit_gradient(T logit, Wide<T> logsumexp) {
  return -exponential(widen(logit) - logsumexp);
}

template <class T>
void launch_cpu(const LogprobForward<T>& args);
template <class T>
void launch_cpu(const LogprobBackward<T>& args);

}  // namespace hone::kernels
