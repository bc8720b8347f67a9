#include "datasets/format_fields.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "io/json.h"

namespace hone::datasets {
namespace {

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

bool is_message(const Row& value) { return value.is_object() && value.contains("role"); }

/// The messages that a text holds as JSON, in a container that has nothing but text; else null.
Row messages_in(const std::string& text) {
  if (!text.starts_with("[{")) return nullptr;
  Row list = Row::parse(text, nullptr, /*allow_exceptions=*/false);
  return list.is_array() && std::ranges::all_of(list, is_message) ? list : nullptr;
}

}  // namespace

const Row* find_value(const Row& row, const char* key) {
  const auto found = row.find(key);
  return found == row.end() || found->is_null() ? nullptr : &*found;
}

const std::string& text_at(const Row& row, const char* key) {
  const Row* value = find_value(row, key);
  HONE_CHECK(DataError, value != nullptr, "the row has no \"{}\"; expected a text", key);
  HONE_CHECK(DataError, value->is_string(), "\"{}\" is {}, expected a text", key,
             value->type_name());
  return value->get_ref<const std::string&>();
}

std::string text_or_empty(const Row& row, const char* key) {
  return find_value(row, key) == nullptr ? "" : text_at(row, key);
}

Row list_or_empty(const Row& row, const char* key) {
  const Row* value = find_value(row, key);
  if (value == nullptr) return Row::array();
  if (!value->is_string()) {
    HONE_CHECK(DataError, value->is_array(), "\"{}\" is {}, expected a list", key,
               value->type_name());
    return *value;
  }
  const auto& text = value->get_ref<const std::string&>();
  if (is_blank(text)) return Row::array();
  Row list;
  try {
    list = io::parse_ordered_json(text, {key});
  } catch (const DataError& error) {
    throw DataError(
        fmt::format("\"{}\" is a text, expected a list, or a list as JSON: {}", key, error.what()));
  }
  HONE_CHECK(DataError, list.is_array(), "\"{}\" is a text that holds {}, expected a list", key,
             list.type_name());
  return list;
}

Row list_at(const Row& row, const char* key) {
  HONE_CHECK(DataError, find_value(row, key) != nullptr, "the row has no \"{}\"; expected a list",
             key);
  Row list = list_or_empty(row, key);
  HONE_CHECK(DataError, !list.empty(), "\"{}\" is empty; remove the row", key);
  return list;
}

double number_at(const Row& row, const char* key) {
  const Row* value = find_value(row, key);
  HONE_CHECK(DataError, value != nullptr, "the row has no \"{}\"; expected a number", key);
  if (value->is_number()) return value->get<double>();
  double number = 0;
  if (value->is_string()) {
    const auto& text = value->get_ref<const std::string&>();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size() && std::isfinite(number))
      return number;
  }
  throw DataError(fmt::format("\"{}\" is {}, expected a number", key, value->dump()));
}

Row scores_at(const Row& row) {
  const Row* score = find_value(row, "score");
  const bool is_list =
      score != nullptr &&
      (score->is_array() || (score->is_string() && score->get<std::string>().starts_with("[")));
  if (!is_list) return number_at(row, "score");
  Row scores = list_at(row, "score");
  for (std::size_t i = 0; i < scores.size(); ++i)
    HONE_CHECK(DataError, scores[i].is_number() || scores[i].is_null(),
               "score[{}] is {}, expected a number, or null", i, scores[i].dump());
  return scores;
}

bool flag_at(const Row& row, const char* key) {
  const Row* value = find_value(row, key);
  HONE_CHECK(DataError, value != nullptr, "the row has no \"{}\"; expected true or false", key);
  if (value->is_boolean()) return value->get<bool>();
  if (*value == 0 || *value == 1) return *value == 1;
  if (value->is_string()) {
    std::string word = value->get<std::string>();
    std::ranges::transform(word, word.begin(), [](unsigned char c) { return std::tolower(c); });
    if (word == "true" || word == "1") return true;
    if (word == "false" || word == "0") return false;
  }
  throw DataError(fmt::format("\"{}\" is {}, expected true or false", key, value->dump()));
}

Turns turns_at(const Row& row, const char* key) {
  const Row* value = find_value(row, key);
  HONE_CHECK(DataError, value != nullptr, "the row has no \"{}\"; expected a text or messages",
             key);
  if (value->is_string()) {
    Row list = messages_in(value->get_ref<const std::string&>());
    return list.is_null() ? Turns{true, *value} : Turns{false, std::move(list)};
  }
  HONE_CHECK(DataError, value->is_array(), "\"{}\" is {}, expected a text or a list of messages",
             key, value->type_name());
  for (std::size_t i = 0; i < value->size(); ++i)
    HONE_CHECK(DataError, is_message((*value)[i]),
               "{}[{}] is no message; expected {{\"role\": ..., \"content\": ...}}", key, i);
  return {false, *value};
}

Row message_of(std::string_view role, std::string content) {
  return {{"role", role}, {"content", std::move(content)}};
}

void move_tools(Row& row, Row& value) {
  if (Row tools = list_or_empty(row, "tools"); !tools.empty()) value["tools"] = std::move(tools);
}

void move_functions(Row& row, Row& value) {
  move_tools(row, value);
  if (!value.contains("tools")) return;
  for (Row& tool : value["tools"]) {
    HONE_CHECK(DataError, tool.is_object(), "\"tools\" holds {}, expected tool definitions",
               tool.type_name());
    if (!tool.contains("function") && tool.contains("name"))
      tool = {{"type", "function"}, {"function", std::move(tool)}};
  }
}

void move_others(Row& row, std::initializer_list<const char*> keys, Row& value) {
  for (auto& [key, item] : row.items()) {
    const bool is_used = std::ranges::any_of(keys, [&](const char* used) { return key == used; });
    if (!is_used && !value.contains(key)) value[key] = std::move(item);
  }
}

}  // namespace hone::datasets
