#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hone::eval {

/// Every white space that Python's str.split() knows as one ASCII blank.
/// @param text valid UTF-8
std::string blanks_for_spaces(std::string_view text, bool keep_newlines = false);

/// What stands between ASCII blanks.
std::vector<std::string> words_of(std::string_view text);

}  // namespace hone::eval
