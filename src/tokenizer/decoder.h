#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tokenizer/json_fields.h"

namespace hone::tokenizer {

/// Turns tokens as the vocabulary spells them into pieces of text, whose concatenation is the text.
using Decoder = std::function<void(std::vector<std::string>& tokens)>;

/// Builds the "decoder" of a tokenizer.json, by its "type".
/// @param field may hold null (the tokens are joined with spaces)
/// @throws DataError for an unknown type or a field of the wrong type
Decoder make_decoder(const JsonField& field);

}  // namespace hone::tokenizer
