#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <vector>

#include "kernels/attention/arithmetic.h"
#include "kernels/parallel.h"

namespace hone::kernels {

/// Queries whose scores are held at once: a multiple of the rows of a tile, and small against a
/// document, since scores above the diagonal are computed in vain.
constexpr std::int64_t kQueryBlock = 24;

/// One thread's share of the forward pass at a time: some queries of a span, for the heads of one
/// key-value head, and the keys from the first position that one of them sees.
struct QueryItem {
  AttentionSpan span;
  std::int64_t key_begin;  ///< a position
  std::int64_t query_begin, query_end, kv_head;

  std::int64_t keys() const { return span.position(query_end) - key_begin; }
};

/// One thread's share of the backward pass: the spans [first, end), of which those after the first
/// go on from it, for one key-value head. Nobody else adds to the gradients of their keys.
struct DocumentItem {
  std::int64_t first, end, kv_head, tokens;
};

inline AttentionSpan span_at(const AttentionShape& shape, std::int64_t span) {
  return span_at(shape.cu_seqlens, shape.prefix_of, span);
}

/// The longest document of a batch.
inline std::int64_t longest_document(const AttentionShape& shape) {
  std::int64_t longest = 0;
  for (std::int64_t d = 0; d < shape.spans; ++d)
    longest = std::max(longest, span_at(shape, d).length());
  return longest;
}

/// The longest first, so that threads end together.
inline std::vector<QueryItem> query_items(const AttentionShape& shape) {
  std::vector<QueryItem> items;
  for (std::int64_t d = 0; d < shape.spans; ++d) {
    const AttentionSpan span = span_at(shape, d);
    for (std::int64_t first = span.begin; first < span.end; first += kQueryBlock)
      for (std::int64_t head = 0; head < shape.kv_heads; ++head)
        items.push_back({span, first_seen(span.position(first), shape.window), first,
                         std::min(first + kQueryBlock, span.end), head});
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const auto& a, const auto& b) { return a.keys() > b.keys(); });
  return items;
}

/// The longest first, as above.
inline std::vector<DocumentItem> document_items(const AttentionShape& shape) {
  std::vector<DocumentItem> items;
  for (std::int64_t first = 0, end = 1; first < shape.spans; first = end++) {
    while (end < shape.spans && shape.prefix_of != nullptr && shape.prefix_of[end] == first) ++end;
    for (std::int64_t head = 0; head < shape.kv_heads; ++head)
      items.push_back({first, end, head, shape.cu_seqlens[end] - shape.cu_seqlens[first]});
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const auto& a, const auto& b) { return a.tokens > b.tokens; });
  return items;
}

/// Visits the positions [begin, end) of a span's document in runs of adjacent tokens:
/// visit(position, token, count).
template <class Visit>
HONE_INLINE void for_runs(const AttentionSpan& span, std::int64_t begin, std::int64_t end,
                          Visit visit) {
  const std::int64_t own = std::max(begin, span.prefix_length);
  if (begin < own) visit(begin, span.token(begin), std::min(end, own) - begin);
  if (own < end) visit(own, span.token(own), end - own);
}

/// Runs `work(item, scratch)` for every item, on as many threads as there are, each with a scratch
/// of its own from `make_scratch()`. Threads take the next item when they are done with one, so
/// items must not share results.
template <class Item, class MakeScratch, class Work>
void for_items(const std::vector<Item>& items, MakeScratch make_scratch, Work work) {
  const std::int64_t count = static_cast<std::int64_t>(items.size());
  std::atomic<std::int64_t> next{0};
  parallel_for(count, 1, [&](std::int64_t, std::int64_t) {
    auto scratch = make_scratch();
    for (std::int64_t i = next++; i < count; i = next++)
      work(items[static_cast<std::size_t>(i)], scratch);
  });
}

}  // namespace hone::kernels
