#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace hone::adapters {

/// What adapter_config.json says of an adapter: PEFT's own keys and values, so that what is read is
/// what is written again.
class Settings {
 public:
  Settings() = default;
  /// @param where what messages call it: the file, or "the config"
  Settings(nlohmann::json values, std::string where)
      : values_(std::move(values)), where_(std::move(where)) {}

  const nlohmann::json& values() const { return values_; }
  const std::string& where() const { return where_; }
  void set(const char* key, nlohmann::json value) { values_[key] = std::move(value); }

  /// @throws DataError where the key is missing or its value of another type
  template <class T>
  T get(const char* key) const {
    try {
      return values_.at(key).get<T>();
    } catch (const nlohmann::json::exception&) {
      throw DataError(fmt::format("{}: `{}` is {}; expected another type of value", where_, key,
                                  values_.contains(key) ? values_[key].dump() : "missing"));
    }
  }

  /// The same, with `other` where the key is missing or null.
  template <class T>
  T get(const char* key, T other) const {
    const auto found = values_.find(key);
    return found == values_.end() || found->is_null() ? other : get<T>(key);
  }

  /// True where the key has a value: not null, false, zero, or an empty list, text or object.
  bool says(const char* key) const;

  /// A text or a list of texts; empty where the key says nothing.
  std::vector<std::string> texts(const char* key) const;
  /// A whole number or a list of them.
  std::vector<std::int64_t> integers(const char* key) const;

 private:
  nlohmann::json values_;
  std::string where_;
};

/// The value that a pattern table ({"q_proj": 8, "layers\\.0\\..*": 4}) has for a module: of the
/// first key that is a regular expression for the module's name or its last parts.
/// @return null where none is
/// @source PEFT, get_pattern_key
nlohmann::json find_pattern(const nlohmann::json& patterns, const std::string& module);

}  // namespace hone::adapters
