#pragma once

#include <span>
#include <string_view>

#include "tokenizer/aligned_text.h"

namespace hone::tokenizer {

/// A character of a text that takes another's place. `change` says how many characters of the old
/// text it makes up for: 0 for one in the place of one, 1 for one more, -n for one in the place of
/// itself and n more.
struct NewCharacter {
  char32_t value;
  int change;
};

/// Replaces a text, aligned by counting as Hugging Face tokenizers do: characters that only change
/// places keep the places, not their own sources. What is left of the old text at the end is gone.
/// @pre the new text makes up for no more characters than the old text has
void transform(AlignedText& text, std::span<const NewCharacter> characters);

}  // namespace hone::tokenizer
