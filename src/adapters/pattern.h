#pragma once

#include <regex>
#include <string>

namespace hone::adapters {

/// A regular expression over names of modules.
class Pattern {
 public:
  /// @throws ConfigError where the text is none
  explicit Pattern(const std::string& text);

  /// The whole name matches.
  bool matches(const std::string& name) const { return std::regex_match(name, regex_); }

 private:
  std::regex regex_;
};

/// True for a text that can only be meant as a regular expression: names of modules have none of
/// these characters.
bool is_pattern(const std::string& text);

/// The module's name is `suffix`, or ends in it behind a dot: `q_proj`, `self_attn.q_proj`.
bool is_suffix(const std::string& suffix, const std::string& module);

}  // namespace hone::adapters
