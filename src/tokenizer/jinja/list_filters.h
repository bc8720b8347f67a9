#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tokenizer/jinja/value.h"

namespace hone::tokenizer::jinja {

/// The filters that take a list: map, select, sort, join and their kin.
const std::vector<std::pair<std::string, Value (*)(const Value&, const Arguments&)>>&
list_filters();

}  // namespace hone::tokenizer::jinja
