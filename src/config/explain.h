#pragma once

#include <string>
#include <string_view>

#include "config/table.h"

namespace hone::config {

/// What there is to set, for a person: type, default, bounds, unit and help of each option.
/// @param key an option, a section, or empty for everything
/// @throws ConfigError with the nearest known key where there is no such
std::string explain(const Schema& schema, std::string_view key = "");

/// The same for a program: {"sections": [{key, help, rules}], "options": [{key, type, default, ...,
/// help}]}, with bounds under JSON Schema's names (minimum, exclusiveMinimum, ...).
/// @throws ConfigError as explain()
std::string explain_json(const Schema& schema, std::string_view key = "");

template <class Options>
std::string explain(std::string_view key = "") {
  return explain(Options::table().schema(), key);
}

template <class Options>
std::string explain_json(std::string_view key = "") {
  return explain_json(Options::table().schema(), key);
}

}  // namespace hone::config
