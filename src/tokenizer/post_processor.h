#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "tokenizer/encoding.h"
#include "tokenizer/json_fields.h"

namespace hone::tokenizer {

/// Finishes an encoding: trims offsets, and adds special tokens where `add_special_tokens` says so.
/// `text` is the source text that the offsets refer to.
using PostProcessor =
    std::function<void(Encoding&, std::string_view text, bool add_special_tokens)>;

/// Gives a token of the model as the vocabulary spells it, and nothing for an added token.
using TokenSpelling = std::function<std::optional<std::string_view>(std::int32_t id)>;

/// Builds the "post_processor" of a tokenizer.json, by its "type".
/// @param field may hold null (nothing is added)
/// @throws DataError for an unknown type or a field of the wrong type
PostProcessor make_post_processor(const JsonField& field, const TokenSpelling& spelling);

}  // namespace hone::tokenizer
