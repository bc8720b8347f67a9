#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/model.h"
#include "tokenizer/vocabulary.h"

namespace hone::tokenizer {

/// Remembers the tokens of words seen before; natural text repeats most of its words. Split into
/// shards with a lock each, so that threads seldom meet. A full shard takes no more words: the ones
/// seen first are the frequent ones.
class WordCache {
 public:
  static constexpr std::size_t kMaxWordBytes = 48;

  /// Appends the tokens and gives true where the word is known.
  bool find(std::string_view word, std::vector<WordToken>& out) const {
    Shard& shard = shard_of(word);
    const std::lock_guard lock(shard.mutex);
    const auto it = shard.words.find(word);
    if (it == shard.words.end()) return false;
    out.insert(out.end(), it->second.begin(), it->second.end());
    return true;
  }

  void insert(std::string_view word, const WordToken* first, std::size_t count) const {
    Shard& shard = shard_of(word);
    const std::lock_guard lock(shard.mutex);
    if (shard.words.size() >= kWordsPerShard) return;
    shard.words.try_emplace(std::string(word), first, first + count);
  }

 private:
  static constexpr std::size_t kShards = 64, kWordsPerShard = 2048;

  struct alignas(64) Shard {
    std::mutex mutex;
    std::unordered_map<std::string, std::vector<WordToken>, StringHash, std::equal_to<>> words;
  };

  Shard& shard_of(std::string_view word) const {
    return shards_[(StringHash()(word) >> 7) % kShards];
  }

  mutable std::array<Shard, kShards> shards_;
};

}  // namespace hone::tokenizer
