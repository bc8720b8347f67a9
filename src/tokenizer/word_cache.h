#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "tokenizer/model.h"

namespace hone::tokenizer {

/// Remembers the tokens of words seen before; natural text repeats most of its words. Threads share
/// it without a lock: a slot is written once, by the thread that claimed it, and read only after it
/// was published. A word whose slots are all taken is not kept: the words seen first are the
/// frequent ones.
class WordCache {
 public:
  static constexpr std::size_t kMaxWordBytes = 48;

  WordCache() : slots_(kSlots) {}

  /// Appends the tokens, moved by `shift` bytes, and gives true where the word is known.
  /// @pre 0 < word.size() <= kMaxWordBytes
  bool find(std::string_view word, std::uint32_t shift, std::vector<WordToken>& out) const {
    const std::uint64_t hash = hash_of(word);
    for (std::size_t i = 0; i < kProbes; ++i) {
      const Slot& slot = slots_[(hash + i) % kSlots];
      const std::uint32_t state = slot.state.load(std::memory_order_acquire);
      if (state == kEmpty) return false;
      if (state == tag_of(hash) && slot.word_bytes == word.size() &&
          are_same(slot.data.data(), word.data(), word.size())) {
        append_tokens(slot, shift, out);
        return true;
      }
    }
    return false;
  }

  /// Keeps the tokens of a word, if they fit and stand end to end.
  /// @pre 0 < word.size() <= kMaxWordBytes
  void insert(std::string_view word, const WordToken* first, std::size_t count) const {
    if (!can_hold(word.size(), first, count)) return;
    const std::uint64_t hash = hash_of(word);
    for (std::size_t i = 0; i < kProbes; ++i) {
      Slot& slot = slots_[(hash + i) % kSlots];
      std::uint32_t state = kEmpty;
      if (!slot.state.compare_exchange_strong(state, kClaimed, std::memory_order_relaxed)) continue;
      fill(slot, word, first, count);
      slot.state.store(tag_of(hash), std::memory_order_release);
      return;
    }
  }

 private:
  static constexpr std::size_t kSlots = 1 << 16, kProbes = 8, kDataBytes = 56;
  static constexpr std::uint32_t kEmpty = 0, kClaimed = 1, kIdBits = 24;

  struct alignas(64) Slot {
    std::atomic<std::uint32_t> state = kEmpty;  // or kClaimed, or the tag of a word
    std::uint8_t word_bytes = 0, token_count = 0;
    // The word, filled up to whole tokens; then the tokens, each its id and the byte it ends at.
    std::array<char, kDataBytes> data{};
  };

  static std::uint32_t tag_of(std::uint64_t hash) {
    return static_cast<std::uint32_t>(hash >> 32) | 2;  // neither kEmpty nor kClaimed
  }

  template <class Integer>
  static std::uint64_t read(const char* from) {
    Integer value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  // Up to 7 bytes as one number; some count twice.
  static std::uint64_t read_short(const char* bytes, std::size_t size) {
    if (size >= 4) {
      return read<std::uint32_t>(bytes) | read<std::uint32_t>(bytes + size - 4) << 32;
    }
    return read<std::uint8_t>(bytes) | read<std::uint8_t>(bytes + size / 2) << 8 |
           read<std::uint8_t>(bytes + size - 1) << 16;
  }

  static std::uint64_t hash_of(std::string_view word) {
    const auto mix = [](std::uint64_t hash, std::uint64_t value) {
      hash = (hash ^ value) * 0x9E3779B97F4A7C15ull;
      return hash ^ (hash >> 32);
    };
    const std::size_t size = word.size();
    if (size < 8) return mix(mix(0, size), read_short(word.data(), size));
    std::uint64_t hash = size;
    for (std::size_t i = 0; i + 8 < size; i += 8) {
      hash = mix(hash, read<std::uint64_t>(word.data() + i));
    }
    return mix(hash, read<std::uint64_t>(word.data() + size - 8));
  }

  static bool are_same(const char* a, const char* b, std::size_t size) {
    if (size < 8) return read_short(a, size) == read_short(b, size);
    for (std::size_t i = 0; i + 8 < size; i += 8) {
      if (read<std::uint64_t>(a + i) != read<std::uint64_t>(b + i)) return false;
    }
    return read<std::uint64_t>(a + size - 8) == read<std::uint64_t>(b + size - 8);
  }

  static std::size_t tokens_at(std::size_t word_bytes) { return (word_bytes + 3) / 4 * 4; }

  static bool can_hold(std::size_t word_bytes, const WordToken* first, std::size_t count) {
    if (tokens_at(word_bytes) + 4 * count > kDataBytes) return false;
    std::uint32_t at = 0;
    for (const WordToken* token = first; token != first + count; ++token) {
      if (token->begin != at || (token->id >> kIdBits) != 0) return false;
      at = token->end;
    }
    return true;
  }

  static void fill(Slot& slot, std::string_view word, const WordToken* first, std::size_t count) {
    slot.word_bytes = static_cast<std::uint8_t>(word.size());
    slot.token_count = static_cast<std::uint8_t>(count);
    std::memcpy(slot.data.data(), word.data(), word.size());
    char* at = slot.data.data() + tokens_at(word.size());
    for (const WordToken* token = first; token != first + count; ++token, at += 4) {
      const std::uint32_t packed = static_cast<std::uint32_t>(token->id) | token->end << kIdBits;
      std::memcpy(at, &packed, sizeof packed);
    }
  }

  static void append_tokens(const Slot& slot, std::uint32_t shift, std::vector<WordToken>& out) {
    const char* at = slot.data.data() + tokens_at(slot.word_bytes);
    std::uint32_t begin = shift;
    for (unsigned i = 0; i < slot.token_count; ++i, at += 4) {
      const auto packed = static_cast<std::uint32_t>(read<std::uint32_t>(at));
      const std::uint32_t end = shift + (packed >> kIdBits);
      out.push_back({static_cast<std::int32_t>(packed & ((1u << kIdBits) - 1)), begin, end});
      begin = end;
    }
  }

  mutable std::vector<Slot> slots_;
};

}  // namespace hone::tokenizer
