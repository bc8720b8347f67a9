#pragma once

#include "tokenizer/aligned_text.h"

namespace hone::tokenizer {

enum class NormalizationForm { kNfc, kNfd, kNfkc, kNfkd };

/// Applies a Unicode normalization form. A composed character stands for its first part, a
/// decomposed part for the character it came from, as in Hugging Face tokenizers.
/// @source Unicode Standard Annex #15
void normalize(AlignedText& text, NormalizationForm form);

}  // namespace hone::tokenizer
