#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "io/json.h"

namespace hone::io {

/// What parse_ordered_json makes of the text, sooner: simdjson reads what is right, and the slow
/// reader says what is wrong.
/// @param text may be given more room, never other content
/// @throws DataError as parse_ordered_json
nlohmann::ordered_json parse_json_row(std::string& text, const TextOrigin& origin);

}  // namespace hone::io
