#pragma once

#include <arrow/array.h>

#include <nlohmann/json.hpp>

namespace hone::io {

/// True where every value of the type can be written as JSON: text, numbers, booleans, times (as
/// text), and lists, structs and dictionaries of them.
bool has_json_form(const arrow::DataType& type);

/// The value at a place of a column; null where it is. Keys of structs whose value is null are left
/// out.
/// @pre has_json_form(*array.type())
/// @throws DataError where a text is not valid UTF-8
nlohmann::ordered_json to_json(const arrow::Array& array, std::int64_t i);

}  // namespace hone::io
