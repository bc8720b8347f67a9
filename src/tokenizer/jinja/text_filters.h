#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tokenizer/jinja/value.h"

namespace hone::tokenizer::jinja {

/// The filters that lay text out or write it for elsewhere: truncate, center, urlencode and their
/// kin.
const std::vector<std::pair<std::string, Value (*)(const Value&, const Arguments&)>>&
text_filters();

}  // namespace hone::tokenizer::jinja
