#pragma once

#include <ATen/core/Tensor.h>

namespace hone::kernels {

struct AttentionOptions {
  double scale;             ///< of the scores, usually 1 / √head_dim
  std::int64_t window = 0;  ///< above 0: a token sees itself and the window − 1 tokens before it
  double softcap = 0;       ///< above 0: a scaled score s becomes softcap · tanh(s / softcap)
};

/// Causal attention within each document of a flat batch, differentiable:
/// out[t, h] = Σ_s softmax_s(scale · q[t, h] · k[s, g]) · v[s, g], over the tokens s ≤ t of t's own
/// document, with g = h / (Hq / Hkv), the key-value head of h's group (grouped-query attention). No
/// matrix of scores outlives a block, and keys and values are not repeated for their group. What
/// a document gives does not depend on the other documents of the batch, bit for bit. Keeps q, k,
/// v and the logarithm of each softmax's denominator [N, Hq].
///
/// Documents that begin alike may share that beginning: the batch then consists of spans, of which
/// some are documents and others go on where an earlier span ends. [prompt][chosen][rejected] with
/// prefix_of [-1, 0, 0] is two documents whose prompt is computed once; its keys and values get
/// the gradients of both. Windows count in documents.
/// @param q           [N, Hq, head_dim] f32, bf16, fp16 or f64; tokens and heads may be strided
/// @param k,v         [N, Hkv, head_dim], the same dtype, Hkv divides Hq; head_dim at most 256 on a
/// GPU
/// @param cu_seqlens  [D+1] borders of documents (or spans), 0 = first < … < last = N
/// @param prefix_of   empty, or [D]: -1 where the span begins a document, else the span that it
/// goes
///                    on from: the last one before it with -1
/// @return [N, Hq, head_dim], q's dtype, contiguous
/// @throws ShapeError when the sizes, dtypes, devices, borders or prefixes do not fit
/// @source arXiv:2307.08691 (blocks), arXiv:2305.13245 (grouped queries), arXiv:2310.06825
/// (window),
///         arXiv:2408.00118 (soft cap)
at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     at::IntArrayRef cu_seqlens, const AttentionOptions& options,
                     at::IntArrayRef prefix_of = {});

}  // namespace hone::kernels
