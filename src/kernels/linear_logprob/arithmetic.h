#pragma once

#include "kernels/elementary.h"

namespace hone::kernels {

/// From the head's product to a logit; see LinearLogprobOptions.
template <class W>
struct LogitShape {
  W scale, softcap;
};

/// One chunk of logits: its log-probabilities, what the backward pass needs of it, and the entropy
/// −Σ p log p of each row, which costs a sum more beside that of the denominator.
template <class T>
struct LogprobForward {
  const T* logits;              // [M, V]
  const std::int64_t* targets;  // [M]
  Wide<T>* logprobs;            // [M]
  Wide<T>* logsumexp;           // [M]
  Wide<T>* entropies;           // [M], or null
  std::int64_t M, V;
  LogitShape<Wide<T>> shape;
};

/// Turns logits into the gradient of Σ_m dlogprobs[m] · logprobs[m] in place.
template <class T>
struct LogprobBackward {
  T* logits;                    // [M, V], overwritten
  const std::int64_t* targets;  // [M]
  const Wide<T>* logsumexp;     // [M]
  const Wide<T>* dlogprobs;     // [M], or null for ones
  std::int64_t M, V;
  LogitShape<Wide<T>> shape;
};

/// Logits as they are.
template <class W>
struct PlainLogit {
  LogitShape<W> shape;
  HONE_HOST_DEVICE W value(W product) const { return product; }
  HONE_HOST_DEVICE W slope(W) const { return W{1}; }
};

/// Logits that are scaled, and capped where softcap is above 0.
template <class W>
struct ShapedLogit {
  LogitShape<W> shape;
  HONE_HOST_DEVICE W value(W product) const {
    const W logit = shape.scale * product;
    return shape.softcap > 0 ? shape.softcap * hyperbolic_tangent(logit / shape.softcap) : logit;
  }
  HONE_HOST_DEVICE W slope(W product) const {
    if (!(shape.softcap > 0)) return shape.scale;
    const W t = hyperbolic_tangent(shape.scale * product / shape.softcap);
    return shape.scale * (1 - t * t);
  }
};

template <class W>
HONE_HOST_DEVICE bool is_plain(const LogitShape<W>& shape) {
  return shape.scale == 1 && !(shape.softcap > 0);
}

/// A logit's weight in the sum under the logarithm, against the row's largest.
template <class W>
HONE_HOST_DEVICE W logit_weight(W logit, W largest) {
  return exponential(logit - largest);
}

/// d logprob / d logit for a token that is not the target: −softmax.
template <class W>
HONE_HOST_DEVICE W logit_gradient(W logit, W logsumexp) {
  return -exponential(logit - logsumexp);
}

template <class T>
void launch_cpu(const LogprobForward<T>& args);
template <class T>
void launch_cpu(const LogprobBackward<T>& args);

}  // namespace hone::kernels
