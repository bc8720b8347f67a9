#include "model/name_patterns.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <regex>
#include <set>

#include "base/error.h"

namespace hone::model {
namespace {

bool matches(const std::string& pattern, const std::string& name) {
  if (name == pattern || name.ends_with("." + pattern)) return true;
  try {
    return std::regex_match(name, std::regex(pattern));
  } catch (const std::regex_error& error) {
    throw ConfigError(fmt::format("`{}` is no regular expression: {}", pattern, error.what()));
  }
}

}  // namespace

bool matches_any(const std::vector<std::string>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return matches(pattern, name); });
}

void check_patterns(const std::string& key, const std::vector<std::string>& patterns,
                    const std::vector<std::string>& names) {
  for (const std::string& pattern : patterns) {
    if (std::any_of(names.begin(), names.end(),
                    [&](const std::string& name) { return matches(pattern, name); }))
      continue;
    std::set<std::string> last_parts;
    for (const std::string& name : names) last_parts.insert(name.substr(name.rfind('.') + 1));
    throw ConfigError(
        fmt::format("{}: `{}` matches no layer; expected the last parts of a name ({}) or a "
                    "regular expression for whole names such as {}",
                    key, pattern, fmt::join(last_parts, ", "), names.empty() ? "" : names.front()));
  }
}

}  // namespace hone::model
