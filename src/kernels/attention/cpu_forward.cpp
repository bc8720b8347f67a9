#include <cmath>

#include "kernels/attention/cpu_items.h"
#include "kernels/attention/cpu_matmul.h"

namespace hone::kernels {
namespace {

/// S keys seen by an item, Q queries, d head_dim; a prime: rounded up to vectors.
template <class W>
struct Scratch {
  Buffer<W> keys;     // [d, S'] packed: the scores' right operand
  Buffer<W> values;   // [S, d'] packed
  Buffer<W> queries;  // [Q, d] scaled
  Buffer<W> scores;   // [Q, S'], then weights
  Buffer<W> out;      // [Q, d']

  Scratch(std::int64_t S, std::int64_t d)
      : keys(padded<W>(S) * d),
        values(S * padded<W>(d)),
        queries(kQueryBlock * d),
        scores(kQueryBlock * padded<W>(S)),
        out(kQueryBlock * padded<W>(d)) {}
};

/// Turns the scores of keys [first, end) into weights (not yet divided by their sum), the others up
/// to `width` into 0. Gives the sum, and the logarithm of the softmax's denominator.
template <class W>
struct Denominator {
  W sum, logsumexp;
};
template <class W>
HONE_INLINE Denominator<W> softmax_row(W* __restrict scores, std::int64_t first, std::int64_t end,
                                       std::int64_t width, W softcap) {
  if (softcap > 0)
    for (std::int64_t s = first; s < end; ++s) scores[s] = cap_score(scores[s], softcap).value;
  W largest = scores[first];
#pragma omp simd reduction(max : largest)
  for (std::int64_t s = first; s < end; ++s) largest = scores[s] > largest ? scores[s] : largest;
  W sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t s = first; s < end; ++s) {
    scores[s] = attention_weight(scores[s], largest);
    sum += scores[s];
  }
  for (std::int64_t s = 0; s < first; ++s) scores[s] = 0;
  for (std::int64_t s = end; s < width; ++s) scores[s] = 0;
  return {sum, largest + std::log(sum)};
}

template <class T>
HONE_INLINE void head_forward(const AttentionForward<T>& a, const QueryItem& item,
                              std::int64_t head, const Scratch<Wide<T>>& scratch) {
  using W = Wide<T>;
  const std::int64_t d = a.shape.head_dim, heads = a.shape.heads, lanes = Lanes<W>::kCount;
  const std::int64_t Q = item.query_end - item.query_begin;
  const std::int64_t S = item.keys();
  const std::int64_t S_padded = padded<W>(S), d_padded = padded<W>(d);
  W* const queries = scratch.queries.get();
  W* const scores = scratch.scores.get();
  W* const out = scratch.out.get();
  for (std::int64_t i = 0; i < Q; ++i) {
    const T* const q = a.q + (item.query_begin + i) * a.shape.q.token + head * a.shape.q.head;
    for (std::int64_t c = 0; c < d; ++c) queries[i * d + c] = a.scale * widen(q[c]);
  }
  matmul<false>(Left<W>{queries, d, 1}, Panels<W>{scratch.keys.get(), d * lanes}, Q, S, d, scores,
                S_padded);
  Denominator<W> denominators[kQueryBlock];
  for (std::int64_t i = 0; i < Q; ++i) {
    const std::int64_t query = item.span.position(item.query_begin + i);
    const std::int64_t first = first_seen(query, a.shape.window);
    denominators[i] = softmax_row(scores + i * S_padded, first - item.key_begin,
                                  query + 1 - item.key_begin, S, a.softcap);
  }
  matmul<false>(Left<W>{scores, S_padded, 1}, Panels<W>{scratch.values.get(), S * lanes}, Q, d, S,
                out, d_padded);
  for (std::int64_t i = 0; i < Q; ++i) {
    const std::int64_t row = (item.query_begin + i) * heads + head;
    a.logsumexp[row] = denominators[i].logsumexp;
    const W factor = 1 / denominators[i].sum;
    for (std::int64_t c = 0; c < d; ++c)
      a.out[row * d + c] = narrow<T>(out[i * d_padded + c] * factor);
  }
}

template <class T>
HONE_INLINE void item_forward(const AttentionForward<T>& a, const QueryItem& item,
                              const Scratch<Wide<T>>& scratch) {
  const AttentionShape& shape = a.shape;
  const std::int64_t S = item.keys(), lanes = Lanes<Wide<T>>::kCount;
  const T* const k = a.k + item.kv_head * shape.k.head;
  const T* const v = a.v + item.kv_head * shape.v.head;
  for_runs(item.span, item.key_begin, item.key_begin + S,
           [&](std::int64_t position, std::int64_t token, std::int64_t count) {
             const std::int64_t first = position - item.key_begin;
             pack_columns(k + token * shape.k.token, shape.k.token, shape.head_dim, first,
                          first + count, scratch.keys.get());
             pack_rows(v + token * shape.v.token, shape.v.token, count, shape.head_dim, Wide<T>{1},
                       scratch.values.get() + first * lanes, S * lanes);
           });
  const std::int64_t group = shape.heads / shape.kv_heads;
  for (std::int64_t head = item.kv_head * group; head < (item.kv_head + 1) * group; ++head)
    head_forward(a, item, head, scratch);
}

HONE_SIMD void forward(const AttentionForward<float>& a, const QueryItem& item,
                       const Scratch<float>& scratch) {
  item_forward(a, item, scratch);
}
HONE_SIMD void forward(const AttentionForward<Bf16>& a, const QueryItem& item,
                       const Scratch<float>& scratch) {
  item_forward(a, item, scratch);
}
HONE_SIMD void forward(const AttentionForward<Fp16>& a, const QueryItem& item,
                       const Scratch<float>& scratch) {
  item_forward(a, item, scratch);
}
HONE_SIMD void forward(const AttentionForward<double>& a, const QueryItem& item,
                       const Scratch<double>& scratch) {
  item_forward(a, item, scratch);
}

}  // namespace

template <class T>
void launch_cpu(const AttentionForward<T>& args) {
  const std::int64_t longest = longest_document(args.shape);
  for_items(
      query_items(args.shape), [&] { return Scratch<Wide<T>>(longest, args.shape.head_dim); },
      [&](const QueryItem& item, const Scratch<Wide<T>>& scratch) {
        forward(args, item, scratch);
      });
}

template void launch_cpu(const AttentionForward<float>&);
template void launch_cpu(const AttentionForward<Bf16>&);
template void launch_cpu(const AttentionForward<Fp16>&);
template void launch_cpu(const AttentionForward<double>&);

}  // namespace hone::kernels
