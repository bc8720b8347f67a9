#include "adapters/pattern.h"

#include "base/error.h"

namespace hone::adapters {

Pattern::Pattern(const std::string& text) {
  try {
    regex_ = std::regex(text, std::regex::ECMAScript | std::regex::optimize);
  } catch (const std::regex_error& error) {
    throw ConfigError(fmt::format("`{}` is no regular expression: {}", text, error.what()));
  }
}

bool is_pattern(const std::string& text) {
  return text.find_first_of("\\*+?()[]{}|^$") != std::string::npos;
}

bool is_suffix(const std::string& suffix, const std::string& module) {
  return module == suffix || module.ends_with("." + suffix);
}

}  // namespace hone::adapters
