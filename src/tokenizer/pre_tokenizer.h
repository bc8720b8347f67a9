#pragma once

#include <functional>
#include <vector>

#include "tokenizer/aligned_text.h"
#include "tokenizer/json_fields.h"

namespace hone::tokenizer {

/// Text on its way to being words: normalized text and the byte ranges of it that are words so far,
/// in order. What lies in none of them is dropped.
struct PreTokenized {
  AlignedText text;
  std::vector<TextRange> words;

  std::string_view word(const TextRange& range) const {
    return text.text().substr(range.begin, range.size());
  }
};

using PreTokenizer = std::function<void(PreTokenized&)>;

/// Builds the "pre_tokenizer" of a tokenizer.json, by its "type".
/// @param field may hold null (a text is one word)
/// @throws DataError for an unknown type or a field of the wrong type
PreTokenizer make_pre_tokenizer(const JsonField& field);

/// True where the words are to be taken as bytes in GPT-2's alphabet, rather than as characters.
/// @throws DataError when something follows the ByteLevel step: its patterns would be written for
///   the alphabet's letters, which hone never makes
bool is_byte_level(const JsonField& field);

}  // namespace hone::tokenizer
