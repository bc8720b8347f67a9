#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace hone::tokenizer {

using Json = nlohmann::json;

/// Reading a tokenizer file's objects; every failure is a DataError that names the place, such as
/// `pre_tokenizer.pretokenizers[1].pattern`.
struct JsonField {
  const Json* value;
  std::string place;

  /// A member that must be there.
  JsonField at(const char* key) const;
  /// A member, or one whose `value` is null where it is missing or JSON's null.
  JsonField find(const char* key) const;
  JsonField at(std::size_t index) const;
  std::size_t size() const { return value->size(); }
  explicit operator bool() const { return value != nullptr; }

  std::string string() const;
  bool boolean() const;
  std::int64_t integer() const;
  const Json& array() const;
  const Json& object() const;

  std::string string_or(const char* key, std::string_view otherwise) const;
  bool boolean_or(const char* key, bool otherwise) const;
  std::int64_t integer_or(const char* key, std::int64_t otherwise) const;
};

/// @throws DataError naming the place, what was found and the names hone knows
[[noreturn]] void throw_unknown_type(const JsonField& field, std::string_view type,
                                     std::initializer_list<std::string_view> known);

}  // namespace hone::tokenizer
