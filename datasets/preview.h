#pragma once

#include <string>

#include "datasets/example.h"
#include "tokenizer/tokenizer.h"

namespace hone::datasets {

/// The example's text for a person: trained tokens green, or between [[ and ]] without colour.
/// Newlines stand as ↵ before the line's end; other control characters are escaped, so that no row
/// can play tricks on a terminal.
std::string preview(const Example& example, const tokenizer::Tokenizer& tokenizer, bool colour);

}  // namespace hone::datasets
