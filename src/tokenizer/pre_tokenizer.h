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

/// What a ByteLevel step gives: words as their bytes are, or spelt in GPT-2's alphabet. Bytes are
/// enough, and faster, where the model itself reads them and no later step looks at the letters.
enum class WordBytes { kPlain, kSpelt };

/// Builds the "pre_tokenizer" of a tokenizer.json, by its "type".
/// @param field may hold null (a text is one word)
/// @throws DataError for an unknown type or a field of the wrong type
PreTokenizer make_pre_tokenizer(const JsonField& field, WordBytes bytes);

/// True where the last step, and no other, is ByteLevel.
bool ends_in_byte_level(const JsonField& field);

}  // namespace hone::tokenizer
