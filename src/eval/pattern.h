#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace hone::eval {

/// A regular expression that a user gave, searched in answers.
class Pattern {
 public:
  /// @throws ConfigError naming the place in the pattern and what is wrong there
  explicit Pattern(const std::string& pattern);

  /// What the first match's first group that took part holds, or the match where there is no group.
  /// @param text valid UTF-8
  /// @throws DataError when the pattern backtracks beyond PCRE2's limit
  std::optional<std::string> find(std::string_view text) const;

  /// Whether it is found in the answer and, where it has groups and there is a reference, finds the
  /// same in both.
  bool agrees(std::string_view answer, const std::optional<std::string>& reference) const;

  bool has_group() const;

 private:
  struct Code;
  std::shared_ptr<const Code> code_;
};

}  // namespace hone::eval
