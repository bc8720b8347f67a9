#pragma once

#include <functional>

#include "tokenizer/aligned_text.h"
#include "tokenizer/json_fields.h"

namespace hone::tokenizer {

/// Rewrites text before it is split into words, keeping track of where each byte came from.
using Normalizer = std::function<void(AlignedText&)>;

/// Builds the "normalizer" of a tokenizer.json, by its "type".
/// @param field may hold null (nothing is normalized)
/// @throws DataError for an unknown type or a field of the wrong type
Normalizer make_normalizer(const JsonField& field);

}  // namespace hone::tokenizer
