#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tokenizer/utf8.h"

namespace hone::tokenizer {

/// A regular expression over UTF-8 with Unicode character classes, compiled once by PCRE2's JIT.
/// Tokenizer files are written for Oniguruma; the two agree on everything such patterns use.
/// Thread-safe: each thread matches with state of its own.
class Regex {
 public:
  /// @throws DataError naming the pattern, the place in it and what PCRE2 says
  explicit Regex(const std::string& pattern);

  /// The leftmost match at or after byte `from` of valid UTF-8.
  /// @throws DataError when the pattern backtracks beyond PCRE2's limit
  std::optional<TextRange> find(std::string_view text, std::size_t from) const;

  const std::string& pattern() const { return pattern_; }

 private:
  struct Code;
  std::string pattern_;
  std::shared_ptr<const Code> code_;
};

/// Escapes a literal, so that a pattern given as a plain string goes the same way.
std::string escape_regex(std::string_view literal);

}  // namespace hone::tokenizer
