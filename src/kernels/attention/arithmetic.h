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
  const std::int64_t* cu_seqlens;  // [spans + 1], on the host
  const std::int64_t* prefix_of;   // [spans], on the host; null: every span is a document
  std::int64_t spans, heads, kv_heads, head_dim;
  std::int64_t window;  // 0: a token sees all of its document before it
  HeadStrides q, k, v;
};

/// The tokens [begin, end) of a batch, and what comes before them in their document: a prefix that
/// may be the beginning of several documents.
struct AttentionSpan {
  std::int64_t begin, end, prefix_begin, prefix_length;

  /// Tokens of the document.
  HONE_HOST_DEVICE std::int64_t length() const { return prefix_length + end - begin; }
  /// Where in the document one of the span's tokens stands, from 0.
  HONE_HOST_DEVICE std::int64_t position(std::int64_t token) const {
    return prefix_length + token - begin;
  }
  /// The token that stands there.
  HONE_HOST_DEVICE std::int64_t token(std::int64_t position) const {
    return position < prefix_length ? prefix_begin + position : begin + position - prefix_length;
  }
};

HONE_HOST_DEVICE AttentionSpan span_at(const std::int64_t* cu_seqlens,
                                       const std::int64_t* prefix_of, std::int64_t span) {
  const std::int64_t prefix = prefix_of == nullptr ? -1 : prefix_of[span];
  if (prefix < 0) return {cu_seqlens[span], cu_seqlens[span + 1], cu_seqlens[span], 0};
  return {cu_seqlens[span], cu_seqlens[span + 1], cu_seqlens[prefix],
          cu_seqlens[prefix + 1] - cu_seqlens[prefix]};
}

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

/// The first position that a query sees of its document, given its own.
HONE_HOST_DEVICE std::int64_t first_seen(std::int64_t position, std::int64_t window) {
  return window == 0 || position < window ? 0 : position - window + 1;
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
