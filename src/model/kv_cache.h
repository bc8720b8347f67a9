#pragma once

#include <algorithm>

#include "model/decoder.h"

namespace hone::model {

/// Keys and values of the sequences that are being generated, so that no prefix is computed twice.
/// Sequences have lengths of their own; there is no padding. Memory grows by doubling.
class KvCache {
 public:
  KvCache(const Spec& spec, std::size_t sequences);

  /// Tokens held of a sequence; the model's virtual tokens are not counted.
  std::int64_t length(std::size_t sequence) const {
    return std::max<std::int64_t>(0, lengths_[sequence] - virtual_);
  }
  std::size_t sequences() const { return lengths_.size(); }

  /// Forgets a sequence's tokens from the `length`-th on.
  void truncate(std::size_t sequence, std::int64_t length);

  /// Keeps only these sequences, in this order: the others have ended. One that is named several
  /// times is copied.
  void select(const std::vector<std::size_t>& kept);

 private:
  friend Tensor extend(const Decoder& decoder, const TokenStream& tokens, KvCache& cache);
  void begin_with(const Decoder& decoder);

  struct Entry {
    Tensor keys, values;  ///< [Hkv, capacity, head_dim]
  };

  Tensor attend(std::size_t layer, const Tensor& q, const Tensor& k, const Tensor& v,
                const std::vector<std::int64_t>& cu_seqlens,
                const kernels::AttentionOptions& options);
  void append(Entry& entry, const Tensor& k, const Tensor& v, std::int64_t at) const;

  std::vector<std::vector<Entry>> entries_;  ///< [layer][sequence]
  std::vector<std::int64_t> lengths_;  ///< tokens held of each sequence, virtual ones among them
  std::int64_t virtual_ = 0;           ///< virtual tokens before each sequence that has begun
};

/// Runs new tokens of every sequence of the cache (document d of the stream continues sequence d)
/// and adds them to it. `positions_N` go on where each sequence stands.
/// @return [N, H] last hidden states of the new tokens
Tensor extend(const Decoder& decoder, const TokenStream& tokens, KvCache& cache);

}  // namespace hone::model
