#pragma once

#include "kernels/elementary.h"

namespace hone::kernels {

/// The CUDA kernels keep a head's elements in a warp's registers.
constexpr std::int64_t kCudaMostHeadDim = 256;

/// Where token t and head h of a [N, heads, head_dim] tensor lie: t · token + h · head.
struct HeadStrides {
  std::int64_t token, head;
};

struct AttentionShape {
  const std::int64_t* cu_seqlens;  // [documents + 1], on the host
  std::int64_t documents, heads, kv_heads, head_dim;
  std::int64_t window;  // 0: a token sees all of its document before it
  HeadStrides q, k, v;
};

template <class T>
struct AttentionForward {
  AttentionShape shape;
  const T *q, *k, *v;
  Wide<T> scale, softcap;
  T* out;              // [N, heads, head_dim]
  Wide<T>* logsumexp;  // [N, heads]
};

template <class T>
struct AttentionBackward {
  AttentionShape shape;
  const T *q, *k, *v;
  Wide<T> scale, softcap;
  const T* dout;             // [N, heads, head_dim]
  const Wide<T>* logsumexp;  // [N, heads]
  T* dq;                     // [N, heads, head_dim]
  T *dk, *dv;                // [N, kv_heads, head_dim]
};

/// The first token that a query sees of its document.
HONE_HOST_DEVICE std::int64_t first_seen(std::int64_t document_begin, std::int64_t query,
                                         std::int64_t window) {
  const bool all = window == 0 || query - document_begin < window;
  return all ? document_begin : query - window + 1;
}

/// A score after the soft cap, and its derivative by the score before.
template <class W>
struct CappedScore {
  W value, slope;
};
template <class W>
HONE_HOST_DEVICE CappedScore<W> cap_score(W score, W softcap) {
  const W t = hyperbolic_tangent(score / softcap);
  return {softcap * t, 1 - t * t};
}

/// A key's weight for a query, given the scaled score and the query's logsumexp.
template <class W>
HONE_HOST_DEVICE W attention_weight(W score, W logsumexp) {
  return exponential(score - logsumexp);
}

/// The gradient of a scaled score: w · (dw − Σ w·dw), the sum taken over the query's keys.
template <class W>
HONE_HOST_DEVICE W attention_score_gradient(W weight, W dweight, W mean_dweight) {
  return weight * (dweight - mean_dweight);
}

template <class T>
void launch_cpu(const AttentionForward<T>& args);
template <class T>
void launch_cpu(const AttentionBackward<T>& args);

}  // namespace hone::kernels
