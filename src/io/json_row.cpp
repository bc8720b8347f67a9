#include "io/json_row.h"

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace hone::io {
namespace {

using Json = nlohmann::ordered_json;
namespace dom = simdjson::dom;

/// simdjson keeps some ten bytes of memory for each byte of the longest text.
constexpr std::size_t kMaxFastBytes = std::size_t{4} << 20;

Json to_json(dom::element element);

/// A key that is given twice keeps its first place and its last value, as in parse_ordered_json.
Json object_of(dom::object source) {
  Json result = Json::object();
  auto& members = result.get_ref<Json::object_t&>();
  members.reserve(source.size());
  for (const auto [key, value] : source) {
    const auto known =
        std::find_if(members.begin(), members.end(),
                     [name = key](const auto& member) { return member.first == name; });
    if (known == members.end()) {
      members.emplace_back(std::string(key), to_json(value));
    } else {
      known->second = to_json(value);
    }
  }
  return result;
}

Json array_of(dom::array source) {
  Json result = Json::array();
  auto& items = result.get_ref<Json::array_t&>();
  items.reserve(source.size());
  for (const dom::element item : source) items.push_back(to_json(item));
  return result;
}

Json to_json(dom::element element) {
  switch (element.type()) {
    case dom::element_type::OBJECT:
      return object_of(element.get_object());
    case dom::element_type::ARRAY:
      return array_of(element.get_array());
    case dom::element_type::STRING:
      return std::string(element.get_string().value());
    case dom::element_type::INT64: {
      // Where both fit, nlohmann's reader has an unsigned number.
      const std::int64_t number = element.get_int64();
      return number < 0 ? Json(number) : Json(static_cast<std::uint64_t>(number));
    }
    case dom::element_type::UINT64:
      return element.get_uint64().value();
    case dom::element_type::DOUBLE:
      return element.get_double().value();
    case dom::element_type::BOOL:
      return element.get_bool().value();
    case dom::element_type::NULL_VALUE:
      break;
  }
  return nullptr;
}

}  // namespace

Json parse_json_row(std::string& text, const TextOrigin& origin) {
  if (text.size() > kMaxFastBytes) return parse_ordered_json(text, origin);
  thread_local dom::parser parser;
  text.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  dom::element root;
  const bool fits = parser.capacity() >= text.size() ||
                    parser.allocate(std::bit_ceil(text.size()), kMaxJsonDepth) == simdjson::SUCCESS;
  if (!fits || parser.parse(text.data(), text.size(), /*realloc_if_needed=*/false).get(root))
    return parse_ordered_json(text, origin);
  return to_json(root);
}

}  // namespace hone::io
