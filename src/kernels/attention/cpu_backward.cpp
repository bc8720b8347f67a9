#include "kernels/attention/cpu_items.h"
#include "kernels/attention/cpu_matmul.h"

namespace hone::kernels {
namespace {

/// S tokens of the longest document, Q queries of a block, d head_dim; a prime: rounded up to
/// vectors.
template <class W>
struct Scratch {
  Buffer<W> keys_T, values_T;              // [d, S'] packed: right operands of scores and dweights
  Buffer<W> keys;                          // [S, d'] packed: of dq
  Buffer<W> dkeys, dvalues;                // [S, d'] sums over the queries
  Buffer<W> queries, douts;                // [Q, d] left operands
  Buffer<W> queries_packed, douts_packed;  // [Q, d'] right operands of dkeys and dvalues
  Buffer<W> weights, dscores, slopes;      // [Q, S'], slopes one row
  Buffer<W> dqueries;                      // [Q, d']

  Scratch(std::int64_t S, std::int64_t d)
      : keys_T(padded<W>(S) * d),
        values_T(padded<W>(S) * d),
        keys(S * padded<W>(d)),
        dkeys(S * padded<W>(d)),
        dvalues(S * padded<W>(d)),
        queries(kQueryBlock * d),
        douts(kQueryBlock * d),
        queries_packed(kQueryBlock * padded<W>(d)),
        douts_packed(kQueryBlock * padded<W>(d)),
        weights(kQueryBlock * padded<W>(S)),
        dscores(kQueryBlock * padded<W>(S)),
        slopes(padded<W>(S)),
        dqueries(kQueryBlock * padded<W>(d)) {}
};

/// A block of Q queries of one head, the first of them at a position of its document. Its S keys
/// begin with the document's `first_key`-th, which is a multiple of a vector's width so that packed
/// keys can be entered there.
struct Block {
  AttentionSpan span;
  std::int64_t position, Q, first_key, S, head;

  std::int64_t first() const { return span.token(position); }
};

/// Scores of keys [first, end) to weights, and gradients of weights to gradients of scores, in
/// place; the others up to `width` to 0. `slopes` is for the soft cap's derivatives.
template <class W>
HONE_INLINE void softmax_gradient_row(W* __restrict weights, W* __restrict dscores,
                                      W* __restrict slopes, W logsumexp, std::int64_t first,
                                      std::int64_t end, std::int64_t width, W softcap) {
  if (softcap > 0) {
    for (std::int64_t s = first; s < end; ++s) {
      const CappedScore<W> capped = cap_score(weights[s], softcap);
      weights[s] = capped.value;
      slopes[s] = capped.slope;
    }
  }
  W mean = 0;
#pragma omp simd reduction(+ : mean)
  for (std::int64_t s = first; s < end; ++s) {
    weights[s] = attention_weight(weights[s], logsumexp);
    mean += weights[s] * dscores[s];
  }
  for (std::int64_t s = first; s < end; ++s)
    dscores[s] = attention_score_gradient(weights[s], dscores[s], mean);
  if (softcap > 0)
    for (std::int64_t s = first; s < end; ++s) dscores[s] *= slopes[s];
  for (std::int64_t s = 0; s < first; ++s) weights[s] = dscores[s] = 0;
  for (std::int64_t s = end; s < width; ++s) weights[s] = dscores[s] = 0;
}

/// Rows of storage type as a left operand, times a factor.
template <class T>
HONE_INLINE void copy_rows(const T* rows, std::int64_t row_stride, std::int64_t M, std::int64_t d,
                           Wide<T> factor, Wide<T>* to) {
  for (std::int64_t m = 0; m < M; ++m)
    for (std::int64_t c = 0; c < d; ++c) to[m * d + c] = factor * widen(rows[m * row_stride + c]);
}

template <class T>
HONE_INLINE void store_rows(const Wide<T>* rows, std::int64_t row_stride, std::int64_t M,
                            std::int64_t d, Wide<T> factor, T* to, std::int64_t to_stride) {
  for (std::int64_t m = 0; m < M; ++m)
    for (std::int64_t c = 0; c < d; ++c)
      to[m * to_stride + c] = narrow<T>(factor * rows[m * row_stride + c]);
}

/// Packs what the block's products need of q and dout.
template <class T>
HONE_INLINE void load_block(const AttentionBackward<T>& a, const Block& block,
                            const Scratch<Wide<T>>& scratch) {
  const std::int64_t d = a.shape.head_dim, dout_stride = a.shape.heads * d;
  const T* const q = a.q + block.first() * a.shape.q.token + block.head * a.shape.q.head;
  const T* const dout = a.dout + block.first() * dout_stride + block.head * d;
  const std::int64_t panel = block.Q * Lanes<Wide<T>>::kCount;
  copy_rows(q, a.shape.q.token, block.Q, d, a.scale, scratch.queries.get());
  copy_rows(dout, dout_stride, block.Q, d, Wide<T>{1}, scratch.douts.get());
  pack_rows(q, a.shape.q.token, block.Q, d, a.scale, scratch.queries_packed.get(), panel);
  pack_rows(dout, dout_stride, block.Q, d, Wide<T>{1}, scratch.douts_packed.get(), panel);
}

/// Adds the block's share to dkeys and dvalues, and writes its dq.
template <class T>
HONE_INLINE void block_backward(const AttentionBackward<T>& a, const Block& block,
                                std::int64_t tokens, const Scratch<Wide<T>>& scratch) {
  using W = Wide<T>;
  const std::int64_t d = a.shape.head_dim, heads = a.shape.heads, lanes = Lanes<W>::kCount;
  const std::int64_t Q = block.Q, S = block.S;
  const std::int64_t S_padded = padded<W>(S), d_padded = padded<W>(d);
  W* const weights = scratch.weights.get();
  W* const dscores = scratch.dscores.get();
  load_block(a, block, scratch);
  const Panels<W> keys_T{scratch.keys_T.get() + block.first_key * d, d * lanes};
  const Panels<W> values_T{scratch.values_T.get() + block.first_key * d, d * lanes};
  matmul<false>(Left<W>{scratch.queries.get(), d, 1}, keys_T, Q, S, d, weights, S_padded);
  matmul<false>(Left<W>{scratch.douts.get(), d, 1}, values_T, Q, S, d, dscores, S_padded);
  for (std::int64_t i = 0; i < Q; ++i) {
    const std::int64_t query = block.position + i;
    softmax_gradient_row(weights + i * S_padded, dscores + i * S_padded, scratch.slopes.get(),
                         a.logsumexp[(block.first() + i) * heads + block.head],
                         first_seen(query, a.shape.window) - block.first_key,
                         query + 1 - block.first_key, S, a.softcap);
  }
  matmul<true>(Left<W>{weights, 1, S_padded}, Panels<W>{scratch.douts_packed.get(), Q * lanes}, S,
               d, Q, scratch.dvalues.get() + block.first_key * d_padded, d_padded);
  matmul<true>(Left<W>{dscores, 1, S_padded}, Panels<W>{scratch.queries_packed.get(), Q * lanes}, S,
               d, Q, scratch.dkeys.get() + block.first_key * d_padded, d_padded);
  const Panels<W> keys{scratch.keys.get() + block.first_key * lanes, tokens * lanes};
  matmul<false>(Left<W>{dscores, S_padded, 1}, keys, Q, d, S, scratch.dqueries.get(), d_padded);
  store_rows(scratch.dqueries.get(), d_padded, Q, d, a.scale,
             a.dq + (block.first() * heads + block.head) * d, heads * d);
}

/// All queries of a span for one key-value head. The sums for its prefix's keys go on; those for
/// its own begin.
template <class T>
HONE_INLINE void span_backward(const AttentionBackward<T>& a, const AttentionSpan& span,
                               std::int64_t kv_head, const Scratch<Wide<T>>& scratch) {
  using W = Wide<T>;
  const AttentionShape& shape = a.shape;
  const std::int64_t d = shape.head_dim, d_padded = padded<W>(d), lanes = Lanes<W>::kCount;
  const std::int64_t tokens = span.length(), own = span.prefix_length;
  for_runs(span, 0, tokens, [&](std::int64_t position, std::int64_t token, std::int64_t count) {
    const T* const k = a.k + token * shape.k.token + kv_head * shape.k.head;
    const T* const v = a.v + token * shape.v.token + kv_head * shape.v.head;
    pack_columns(k, shape.k.token, d, position, position + count, scratch.keys_T.get());
    pack_columns(v, shape.v.token, d, position, position + count, scratch.values_T.get());
    pack_rows(k, shape.k.token, count, d, W{1}, scratch.keys.get() + position * lanes,
              tokens * lanes);
  });
  std::fill_n(scratch.dkeys.get() + own * d_padded, (tokens - own) * d_padded, W{0});
  std::fill_n(scratch.dvalues.get() + own * d_padded, (tokens - own) * d_padded, W{0});
  const std::int64_t group = shape.heads / shape.kv_heads;
  for (std::int64_t first = own; first < tokens; first += kQueryBlock) {
    const std::int64_t end = std::min(first + kQueryBlock, tokens);
    const std::int64_t first_key = first_seen(first, shape.window) / lanes * lanes;
    for (std::int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head)
      block_backward(a, Block{span, first, end - first, first_key, end - first_key, head}, tokens,
                     scratch);
  }
}

/// Writes the sums for a span's own keys.
template <class T>
HONE_INLINE void store_key_gradients(const AttentionBackward<T>& a, const AttentionSpan& span,
                                     std::int64_t kv_head, const Scratch<Wide<T>>& scratch) {
  using W = Wide<T>;
  const std::int64_t d = a.shape.head_dim, d_padded = padded<W>(d);
  const std::int64_t own = span.prefix_length * d_padded, count = span.end - span.begin;
  const std::int64_t offset = (span.begin * a.shape.kv_heads + kv_head) * d;
  const std::int64_t stride = a.shape.kv_heads * d;
  store_rows(scratch.dkeys.get() + own, d_padded, count, d, W{1}, a.dk + offset, stride);
  store_rows(scratch.dvalues.get() + own, d_padded, count, d, W{1}, a.dv + offset, stride);
}

/// A document, and the spans that go on from it: each adds to the sums for the document's keys.
template <class T>
HONE_INLINE void item_backward(const AttentionBackward<T>& a, const DocumentItem& item,
                               const Scratch<Wide<T>>& scratch) {
  const AttentionSpan document = span_at(a.shape, item.first);
  span_backward(a, document, item.kv_head, scratch);
  for (std::int64_t d = item.first + 1; d < item.end; ++d) {
    const AttentionSpan span = span_at(a.shape, d);
    span_backward(a, span, item.kv_head, scratch);
    store_key_gradients(a, span, item.kv_head, scratch);
  }
  store_key_gradients(a, document, item.kv_head, scratch);
}

HONE_SIMD void backward(const AttentionBackward<float>& a, const DocumentItem& item,
                        const Scratch<float>& scratch) {
  item_backward(a, item, scratch);
}
HONE_SIMD void backward(const AttentionBackward<Bf16>& a, const DocumentItem& item,
                        const Scratch<float>& scratch) {
  item_backward(a, item, scratch);
}
HONE_SIMD void backward(const AttentionBackward<Fp16>& a, const DocumentItem& item,
                        const Scratch<float>& scratch) {
  item_backward(a, item, scratch);
}
HONE_SIMD void backward(const AttentionBackward<double>& a, const DocumentItem& item,
                        const Scratch<double>& scratch) {
  item_backward(a, item, scratch);
}

}  // namespace

template <class T>
void launch_cpu(const AttentionBackward<T>& args) {
  const std::int64_t longest = longest_document(args.shape);
  for_items(
      document_items(args.shape), [&] { return Scratch<Wide<T>>(longest, args.shape.head_dim); },
      [&](const DocumentItem& item, const Scratch<Wide<T>>& scratch) {
        backward(args, item, scratch);
      });
}

template void launch_cpu(const AttentionBackward<float>&);
template void launch_cpu(const AttentionBackward<Bf16>&);
template void launch_cpu(const AttentionBackward<Fp16>&);
template void launch_cpu(const AttentionBackward<double>&);

}  // namespace hone::kernels
