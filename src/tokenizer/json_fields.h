#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace hone::tokenizer {

using Json = nlohmann::json;

/// Far above any vocabulary: a file that asks for more is damaged.
inline constexpr std::int64_t kMaxTokenId = (1 << 24) - 1;

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
  double number() const;
  /// A token id, 0 … kMaxTokenId.
  std::int32_t id() const;
  const Json& array() const;
  const Json& object() const;

  std::string string_or(const char* key, std::string_view otherwise) const;
  bool boolean_or(const char* key, bool otherwise) const;
  std::int64_t integer_or(const char* key, std::int64_t otherwise) const;
};

/// @throws DataError naming the place, what was found and the names hone knows
[[noreturn]] void throw_unknown_type(const JsonField& field, std::string_view type,
                                     const std::vector<std::string_view>& known);

/// The entry of a family's table whose `type` the object's "type" names.
/// @throws DataError as above where there is none
template <class Table>
const auto& find_type(const JsonField& field, const Table& table) {
  const std::string type = field.at("type").string();
  std::vector<std::string_view> known;
  for (const auto& entry : table) {
    if (entry.type == type) return entry;
    known.push_back(entry.type);
  }
  throw_unknown_type(field, type, known);
}

}  // namespace hone::tokenizer
