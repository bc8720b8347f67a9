#include "tokenizer/json_fields.h"

#include <fmt/ranges.h>

#include "base/error.h"

namespace hone::tokenizer {
namespace {

[[noreturn]] void throw_wrong_type(const JsonField& field, const char* expected) {
  throw DataError(
      fmt::format("{}: expected {}, found {}", field.place, expected, field.value->type_name()));
}

}  // namespace

JsonField JsonField::find(const char* key) const {
  if (!value->is_object()) throw_wrong_type(*this, "an object");
  const auto it = value->find(key);
  const bool present = it != value->end() && !it->is_null();
  return {present ? &*it : nullptr, fmt::format("{}.{}", place, key)};
}

JsonField JsonField::at(const char* key) const {
  JsonField field = find(key);
  HONE_CHECK(DataError, field, "{} is missing", field.place);
  return field;
}

JsonField JsonField::at(std::size_t index) const {
  return {&array()[index], fmt::format("{}[{}]", place, index)};
}

std::string JsonField::string() const {
  if (!value->is_string()) throw_wrong_type(*this, "a string");
  return value->get<std::string>();
}

bool JsonField::boolean() const {
  if (!value->is_boolean()) throw_wrong_type(*this, "true or false");
  return value->get<bool>();
}

std::int64_t JsonField::integer() const {
  if (!value->is_number_integer()) throw_wrong_type(*this, "an integer");
  return value->get<std::int64_t>();
}

double JsonField::number() const {
  if (!value->is_number()) throw_wrong_type(*this, "a number");
  return value->get<double>();
}

std::int32_t JsonField::id() const {
  const std::int64_t id = integer();
  HONE_CHECK(DataError, id >= 0 && id <= kMaxTokenId, "{}: token id {}; expected 0 … {}", place, id,
             kMaxTokenId);
  return static_cast<std::int32_t>(id);
}

const Json& JsonField::array() const {
  if (!value->is_array()) throw_wrong_type(*this, "an array");
  return *value;
}

const Json& JsonField::object() const {
  if (!value->is_object()) throw_wrong_type(*this, "an object");
  return *value;
}

std::string JsonField::string_or(const char* key, std::string_view otherwise) const {
  const JsonField field = find(key);
  return field ? field.string() : std::string(otherwise);
}

bool JsonField::boolean_or(const char* key, bool otherwise) const {
  const JsonField field = find(key);
  return field ? field.boolean() : otherwise;
}

std::int64_t JsonField::integer_or(const char* key, std::int64_t otherwise) const {
  const JsonField field = find(key);
  return field ? field.integer() : otherwise;
}

void throw_unknown_type(const JsonField& field, std::string_view type,
                        const std::vector<std::string_view>& known) {
  throw DataError(fmt::format("{}.type: `{}` is not supported; hone knows {}", field.place, type,
                              fmt::join(known, ", ")));
}

}  // namespace hone::tokenizer
