#include "io/parquet/to_json.h"

#include <arrow/scalar.h>
#include <arrow/type.h>
#include <arrow/util/float16.h>
#include <arrow/util/utf8.h>

#include "base/error.h"

namespace hone::io {
namespace {

using Json = nlohmann::ordered_json;
using arrow::Type;

template <class Array>
const Array& as(const arrow::Array& array) {
  return static_cast<const Array&>(array);
}

template <class Array>
Json text_at(const arrow::Array& array, std::int64_t i) {
  const std::string_view text = as<Array>(array).GetView(i);
  HONE_CHECK(DataError, arrow::util::ValidateUTF8(text),
             "a text is not valid UTF-8; write the column again from UTF-8");
  return text;
}

template <class Array>
Json list_at(const arrow::Array& array, std::int64_t i) {
  const auto& lists = as<Array>(array);
  Json items = Json::array();
  const std::int64_t begin = lists.value_offset(i), size = lists.value_length(i);
  for (std::int64_t k = begin; k < begin + size; ++k) items.push_back(to_json(*lists.values(), k));
  return items;
}

Json struct_at(const arrow::StructArray& structs, std::int64_t i) {
  Json object = Json::object();
  for (int f = 0; f < structs.num_fields(); ++f)
    if (Json value = to_json(*structs.field(f), i); !value.is_null())
      object[structs.type()->field(f)->name()] = std::move(value);
  return object;
}

/// Types without a JSON form of their own, as Arrow prints them: dates, times, decimals.
Json printed(const arrow::Array& array, std::int64_t i) {
  const auto scalar = array.GetScalar(i);
  HONE_CHECK(DataError, scalar.ok(), "a value cannot be read: {}", scalar.status().ToString());
  return (*scalar)->ToString();
}

}  // namespace

bool has_json_form(const arrow::DataType& type) {
  switch (type.id()) {
    case Type::NA:
    case Type::BOOL:
    case Type::STRING:
    case Type::LARGE_STRING:
    case Type::STRING_VIEW:
      return true;
    case Type::LIST:
    case Type::LARGE_LIST:
    case Type::FIXED_SIZE_LIST:
    case Type::STRUCT:
      for (const auto& field : type.fields())
        if (!has_json_form(*field->type())) return false;
      return true;
    case Type::DICTIONARY:
      return has_json_form(*static_cast<const arrow::DictionaryType&>(type).value_type());
    default:
      return arrow::is_integer(type.id()) || arrow::is_floating(type.id()) ||
             arrow::is_temporal(type.id()) || arrow::is_decimal(type.id());
  }
}

Json to_json(const arrow::Array& array, std::int64_t i) {
  if (array.IsNull(i)) return nullptr;
  switch (array.type_id()) {
    case Type::NA:
      return nullptr;
    case Type::BOOL:
      return as<arrow::BooleanArray>(array).Value(i);
    case Type::INT8:
      return as<arrow::Int8Array>(array).Value(i);
    case Type::INT16:
      return as<arrow::Int16Array>(array).Value(i);
    case Type::INT32:
      return as<arrow::Int32Array>(array).Value(i);
    case Type::INT64:
      return as<arrow::Int64Array>(array).Value(i);
    case Type::UINT8:
      return as<arrow::UInt8Array>(array).Value(i);
    case Type::UINT16:
      return as<arrow::UInt16Array>(array).Value(i);
    case Type::UINT32:
      return as<arrow::UInt32Array>(array).Value(i);
    case Type::UINT64:
      return as<arrow::UInt64Array>(array).Value(i);
    case Type::HALF_FLOAT:
      return arrow::util::Float16::FromBits(as<arrow::HalfFloatArray>(array).Value(i)).ToFloat();
    case Type::FLOAT:
      return as<arrow::FloatArray>(array).Value(i);
    case Type::DOUBLE:
      return as<arrow::DoubleArray>(array).Value(i);
    case Type::STRING:
      return text_at<arrow::StringArray>(array, i);
    case Type::LARGE_STRING:
      return text_at<arrow::LargeStringArray>(array, i);
    case Type::STRING_VIEW:
      return text_at<arrow::StringViewArray>(array, i);
    case Type::LIST:
      return list_at<arrow::ListArray>(array, i);
    case Type::LARGE_LIST:
      return list_at<arrow::LargeListArray>(array, i);
    case Type::FIXED_SIZE_LIST:
      return list_at<arrow::FixedSizeListArray>(array, i);
    case Type::STRUCT:
      return struct_at(as<arrow::StructArray>(array), i);
    case Type::DICTIONARY: {
      const auto& encoded = as<arrow::DictionaryArray>(array);
      return to_json(*encoded.dictionary(), encoded.GetValueIndex(i));
    }
    default:
      return printed(array, i);
  }
}

}  // namespace hone::io
