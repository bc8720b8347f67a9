#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/example.h"
#include "tokenizer/tokenizer.h"

namespace hone::datasets {

/// How a row is shown.
struct PreviewStyle {
  bool colour = false;   ///< for a terminal
  bool borders = false;  ///< "|" (dim) between tokens
  bool weights = false;  ///< before tokens whose weight is neither 0 nor 1: "0.5×"
  std::vector<std::int32_t> stop_ids = {};  ///< shown between « and » (reversed)
};

/// The example's text for a person: trained tokens green, or between [[ and ]] without colour.
/// Newlines stand as ↵ before the line's end; other control characters are escaped, so that no row
/// can play tricks on a terminal.
std::string preview(const Example& example, const tokenizer::Tokenizer& tokenizer,
                    const PreviewStyle& style);

/// The same of a row's documents, each on lines of its own.
std::string preview_row(const Example& example, const tokenizer::Tokenizer& tokenizer,
                        const PreviewStyle& style);

/// The same, plainly.
inline std::string preview(const Example& example, const tokenizer::Tokenizer& tokenizer,
                           bool colour) {
  return preview(example, tokenizer, PreviewStyle{.colour = colour});
}

/// What each token adds to the text of those before it; U+FFFD where it is part of a character.
std::vector<std::string> token_texts(const Example& example, const tokenizer::Tokenizer& tokenizer);

}  // namespace hone::datasets
