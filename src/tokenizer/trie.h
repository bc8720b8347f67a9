#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace hone::tokenizer {

/// Keys by their bytes, walked one byte at a time: finds every key that begins at a place of a text
/// in one pass over the text. Built once, then immutable.
class Trie {
 public:
  /// A position between two bytes of some key. The root is before the first.
  using Node = std::uint32_t;
  static constexpr Node kRoot = 0, kNone = ~Node{0};

  /// An empty key is never found. Of equal keys the last counts. Values are not negative.
  explicit Trie(std::vector<std::pair<std::string_view, std::int32_t>> keys = {});

  /// The node after one more byte, or kNone where no key goes on that way.
  Node step(Node node, char byte) const {
    const auto label = static_cast<unsigned char>(byte);
    if (node == kRoot) return first_[label];
    const Position& at = positions_[node];
    for (std::uint32_t i = at.first_edge; i < at.end_edge; ++i) {
      if (labels_[i] == label) return i + 1;  // an edge's child has the number after the edge's
    }
    return kNone;
  }

  /// The node after `text`, or kNone.
  Node walk(std::string_view text) const;

  /// Bytes of the longest key that `text` begins with, or 0.
  std::size_t longest_prefix(std::string_view text) const;

  /// The value of the key that ends at this node, or -1.
  std::int32_t value(Node node) const { return positions_[node].value; }

 private:
  struct Position {
    std::uint32_t first_edge, end_edge;
    std::int32_t value = -1;
  };

  std::array<Node, 256> first_;
  std::vector<Position> positions_;    // by node
  std::vector<unsigned char> labels_;  // by edge; edge i leads to node i + 1
};

}  // namespace hone::tokenizer
