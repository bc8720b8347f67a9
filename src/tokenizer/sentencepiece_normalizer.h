#pragma once

#include "tokenizer/normalizer.h"
#include "tokenizer/sentencepiece_spec.h"

namespace hone::tokenizer {

/// How SentencePiece spells spaces in its pieces.
inline constexpr std::string_view kSpaceSymbol = "\u2581";

/// What a SentencePiece model does to a text before it cuts it: the charsmap's rules (the longest
/// that fits), but not inside user-defined pieces; superfluous spaces; the space before the text.
/// @throws DataError where the charsmap is damaged
/// @source sentencepiece src/normalizer.cc
Normalizer make_sentencepiece_normalizer(const SentencePieceSpec& spec);

}  // namespace hone::tokenizer
