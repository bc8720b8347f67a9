#include "tokenizer/trie.h"

#include <algorithm>

namespace hone::tokenizer {

// Breadth first: a node's children are numbered next to each other, in the order in which their
// edges are laid down, so that edge i leads to node i + 1.
Trie::Trie(std::vector<std::pair<std::string_view, std::int32_t>> keys) {
  std::stable_sort(keys.begin(), keys.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  struct Pending {
    std::size_t begin, end, depth;  // the keys that share their first `depth` bytes
  };
  std::vector<Pending> nodes{{0, keys.size(), 0}};
  for (std::size_t node = 0; node < nodes.size(); ++node) {
    auto [begin, end, depth] = nodes[node];
    Position position{static_cast<std::uint32_t>(labels_.size()), 0};
    for (; begin < end && keys[begin].first.size() == depth; ++begin) {
      if (depth > 0) position.value = keys[begin].second;
    }
    while (begin < end) {
      const char label = keys[begin].first[depth];
      std::size_t next = begin + 1;
      while (next < end && keys[next].first[depth] == label) ++next;
      labels_.push_back(static_cast<unsigned char>(label));
      nodes.push_back({begin, next, depth + 1});
      begin = next;
    }
    position.end_edge = static_cast<std::uint32_t>(labels_.size());
    positions_.push_back(position);
  }
  first_.fill(kNone);
  for (std::uint32_t i = 0; i < positions_[kRoot].end_edge; ++i) first_[labels_[i]] = i + 1;
}

Trie::Node Trie::walk(std::string_view text) const {
  Node node = kRoot;
  for (const char byte : text) {
    node = step(node, byte);
    if (node == kNone) break;
  }
  return node;
}

std::size_t Trie::longest_prefix(std::string_view text) const {
  std::size_t longest = 0;
  Node node = kRoot;
  for (std::size_t i = 0; i < text.size(); ++i) {
    node = step(node, text[i]);
    if (node == kNone) break;
    if (value(node) >= 0) longest = i + 1;
  }
  return longest;
}

}  // namespace hone::tokenizer
