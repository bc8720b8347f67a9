#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hone::tokenizer {

/// What two neighbouring tokens become, and how soon.
struct Merge {
  std::uint32_t rank;
  std::int32_t id;
};

/// Merges by pair of ids: an open-addressing hash table that is at most half full, since a lookup
/// here is the inner loop of byte-pair encoding.
class MergeTable {
 public:
  explicit MergeTable(std::size_t count) {
    int bits = 4;
    while ((std::size_t{1} << bits) < 2 * count) ++bits;
    slots_.resize(std::size_t{1} << bits);
    shift_ = 64 - bits;
  }

  /// A later merge of the same pair replaces the earlier one, as in Hugging Face tokenizers.
  void insert(std::int32_t left, std::int32_t right, Merge merge) {
    const std::uint64_t key = key_of(left, right);
    std::size_t at = home(key);
    while (slots_[at].key != kEmpty && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = {key, merge};
  }

  const Merge* find(std::int32_t left, std::int32_t right) const {
    const std::uint64_t key = key_of(left, right);
    for (std::size_t at = home(key);; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].key == key) return &slots_[at].merge;
      if (slots_[at].key == kEmpty) return nullptr;
    }
  }

 private:
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};
  struct Slot {
    std::uint64_t key = kEmpty;
    Merge merge{};
  };

  static std::uint64_t key_of(std::int32_t left, std::int32_t right) {
    return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) |
           static_cast<std::uint32_t>(right);
  }
  std::size_t home(std::uint64_t key) const {
    // Only the upper bits of the product depend on both ids.
    return static_cast<std::size_t>((key * 0x9E3779B97F4A7C15ull) >> shift_);
  }

  std::vector<Slot> slots_;
  int shift_;
};

}  // namespace hone::tokenizer
