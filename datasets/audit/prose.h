#pragma once

#include <string_view>
#include <vector>

#include "tokenizer/utf8.h"

namespace hone::datasets::audit {

/// A stretch of Markdown text: prose, or code whose every character may be meant.
struct Segment {
  tokenizer::TextRange range;
  bool is_code;
};

/// What fenced blocks (``` or ~~~) and inline `code` leave of a text, in order and without gaps.
struct Segments {
  std::vector<Segment> all;
  bool fence_open = false;  ///< the last fenced block is not closed; it counts as code to the end
};

/// @source CommonMark 0.31, sections 4.5 and 6.1; indented code is taken for prose
Segments segments_of(std::string_view text);

}  // namespace hone::datasets::audit
