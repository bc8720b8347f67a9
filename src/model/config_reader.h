#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"

namespace hone::model {

/// Typed look-ups in a config.json whose errors name the file and the key. A key that is null
/// counts as absent.
class ConfigReader {
 public:
  ConfigReader(const nlohmann::json& object, std::string where)
      : object_(object), where_(std::move(where)) {}

  bool has(const char* key) const { return object_.contains(key) && !object_.at(key).is_null(); }

  template <class T>
  T get(const char* key) const {
    HONE_CHECK(DataError, has(key), "{}: the key `{}` is missing", where_, key);
    return convert<T>(object_.at(key), key);
  }

  template <class T>
  T get(const char* key, T fallback) const {
    return has(key) ? convert<T>(object_.at(key), key) : fallback;
  }

  /// A list of T. @throws DataError where it is none, or not `size` long
  template <class T>
  std::vector<T> list(const char* key, std::size_t size) const {
    const nlohmann::json& items = object_.at(key);
    HONE_CHECK(DataError, items.is_array() && items.size() == size,
               "{}: `{}` should be a list of {} items, is {}", where_, key, size,
               items.is_array() ? std::to_string(items.size()) + " long" : items.type_name());
    std::vector<T> values;
    for (const nlohmann::json& item : items) values.push_back(convert<T>(item, key));
    return values;
  }

  ConfigReader object(const char* key) const {
    HONE_CHECK(DataError, object_.at(key).is_object(), "{}: `{}` should be an object, is {}",
               where_, key, object_.at(key).type_name());
    return {object_.at(key), where_ + ": " + key};
  }

  const nlohmann::json& json() const { return object_; }
  const std::string& where() const { return where_; }

 private:
  template <class T>
  T convert(const nlohmann::json& value, const char* key) const {
    bool fits = false;
    if constexpr (std::is_same_v<T, bool>) {
      fits = value.is_boolean();
    } else if constexpr (std::is_integral_v<T>) {
      fits = value.is_number_integer() &&
             (!value.is_number_unsigned() || std::in_range<T>(value.get<std::uint64_t>()));
    } else if constexpr (std::is_floating_point_v<T>) {
      fits = value.is_number();
    } else {
      fits = value.is_string();
    }
    HONE_CHECK(DataError, fits, "{}: `{}` is {}, which is not of the expected type ({})", where_,
               key, value.dump(), expected<T>());
    return value.get<T>();
  }

  template <class T>
  static const char* expected() {
    if constexpr (std::is_same_v<T, bool>) return "true or false";
    if constexpr (std::is_integral_v<T>) return "a whole number";
    if constexpr (std::is_floating_point_v<T>) return "a number";
    return "text";
  }

  const nlohmann::json& object_;
  std::string where_;
};

}  // namespace hone::model
