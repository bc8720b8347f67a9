#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace hone::tokenizer {

/// Where a text may be cut without changing its tokens. Two characters of which no merge has the
/// one at the end of its left part and the other at the begin of its right part are in different
/// tokens wherever they meet, and the merges on either side never see the other. So a text that is
/// one word, as SentencePiece models have it, becomes many short ones.
class MergeBorders {
 public:
  MergeBorders();

  /// Keeps text that ends as `left` does together with text that begins as `right` does.
  void join(std::string_view left, std::string_view right);

  /// The end of the piece of `text` (valid UTF-8) that begins at `begin` (< its size).
  std::size_t piece_end(std::string_view text, std::size_t begin) const;

 private:
  std::vector<std::uint8_t> is_joined_;  // [kinds, kinds] of characters: left, right
};

}  // namespace hone::tokenizer
