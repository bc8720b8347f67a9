#pragma once

#include <string>
#include <string_view>

namespace hone::tokenizer {

/// Rewrites a regular expression from Oniguruma's Ruby syntax, which tokenizer files are written
/// in, to PCRE2's. The two differ in what \w, \s, \h and \b are, and in sets within sets:
/// `[a-z&&[^aeiou]]`.
/// @throws DataError where a set is not closed, or sets are nested absurdly deep
/// @source Oniguruma doc/RE; Unicode Technical Standard #18, annex C for the classes
std::string to_pcre2(std::string_view pattern);

}  // namespace hone::tokenizer
