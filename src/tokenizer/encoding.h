#pragma once

#include <cstdint>
#include <vector>

#include "tokenizer/utf8.h"

namespace hone::tokenizer {

/// Tokens of a text.
struct Encoding {
  std::vector<std::int32_t> ids;
  /// Bytes of the source text that each token stands for, widened to whole characters, as Hugging
  /// Face tokenizers give them: the tokens of one character all carry its range. A token that the
  /// post-processor added has [0, 0). `to_code_points` turns them into characters.
  std::vector<TextRange> offsets;
};

}  // namespace hone::tokenizer
