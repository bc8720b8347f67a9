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

/// One thread's share at a time: some queries of a document, for the heads of one key-value head,
/// and the keys from the first that one of them sees.
struct AttentionItem {
  std::int64_t document_begin, key_begin, query_begin, query_end, kv_head;
};

/// The longest document of a batch.
inline std::int64_t longest_document(const AttentionShape& shape) {
  std::int64_t longest = 0;
  for (std::int64_t d = 0; d < shape.documents; ++d)
    longest = std::max(longest, shape.cu_seqlens[d + 1] - shape.cu_seqlens[d]);
  return longest;
}

/// Every document in pieces of at most `queries` queries, those with the most keys first, so that
/// threads end together.
inline std::vector<AttentionItem> attention_items(const AttentionShape& shape,
                                                  std::int64_t queries) {
  std::vector<AttentionItem> items;
  for (std::int64_t d = 0; d < shape.documents; ++d)
    for (std::int64_t first = shape.cu_seqlens[d]; first < shape.cu_seqlens[d + 1];
         first += queries)
      for (std::int64_t head = 0; head < shape.kv_heads; ++head)
        items.push_back({shape.cu_seqlens[d], first_seen(shape.cu_seqlens[d], first, shape.window),
                         first, std::min(first + queries, shape.cu_seqlens[d + 1]), head});
  std::stable_sort(items.begin(), items.end(), [](const auto& a, const auto& b) {
    return a.query_end - a.key_begin > b.query_end - b.key_begin;
  });
  return items;
}

/// Runs `work(item, scratch)` for every item, on as many threads as there are, each with a scratch
/// of its own from `make_scratch()`. Threads take the next item when they are done with one, so
/// items must not share results.
template <class MakeScratch, class Work>
void for_items(const std::vector<AttentionItem>& items, MakeScratch make_scratch, Work work) {
  const std::int64_t count = static_cast<std::int64_t>(items.size());
  std::atomic<std::int64_t> next{0};
  parallel_for(count, 1, [&](std::int64_t, std::int64_t) {
    auto scratch = make_scratch();
    for (std::int64_t i = next++; i < count; i = next++)
      work(items[static_cast<std::size_t>(i)], scratch);
  });
}

}  // namespace hone::kernels
