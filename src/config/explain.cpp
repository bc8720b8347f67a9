#include "config/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace hone::config {
namespace {

using Json = nlohmann::ordered_json;

bool is_within(std::string_view path, std::string_view key) {
  return key.empty() || path == key ||
         (path.starts_with(key) && path.substr(key.size()).starts_with('.'));
}

void require_known(const Schema& schema, std::string_view key) {
  const std::vector<std::string> paths = schema.paths();
  const bool is_known = key.empty() || std::find(paths.begin(), paths.end(), key) != paths.end();
  const std::string hint = did_you_mean(key, paths);
  HONE_CHECK(ConfigError, is_known, "{}: no such key{}", yaml_string(shortened(key)),
             hint.empty() ? "; `hone explain` lists the keys there are" : hint);
}

std::string describe(const Field& field, std::string_view indent) {
  const std::string given =
      field.required ? "required" : fmt::format("default {}", to_yaml(field.default_value));
  const std::string unit = field.unit.empty() ? "" : ", in " + field.unit;
  std::string text = fmt::format("{0}{1}: {2}\n{0}    {3}{4}\n{0}    {5}\n", indent, field.key,
                                 given, expected(field), unit, field.help);
  if (field.item == nullptr) return text;
  for (const Rule& rule : field.item->rules)
    text += fmt::format("{}    Rule: {}\n", indent, rule.text);
  for (Field part : field.item->fields) {
    part.key = fmt::format("{}[].{}", field.key, part.key);
    text += describe(part, fmt::format("{}    ", indent));
  }
  return text;
}

std::string describe(const Schema& schema, const SectionInfo& section) {
  std::string text = section.key.empty() ? fmt::format("{}\n", section.help)
                                         : fmt::format("{}: {}\n", section.key, section.help);
  for (const Rule& rule : schema.rules)
    if (rule.section == section.key) text += fmt::format("  Rule: {}\n", rule.text);
  for (const Field& field : schema.fields)
    if (parent_of(field.key) == section.key) text += "\n" + describe(field, "  ");
  return text;
}

std::string_view json_type(Type type) {
  switch (type) {
    case Type::kNull:
      return "null";
    case Type::kBool:
      return "boolean";
    case Type::kInteger:
      return "integer";
    case Type::kNumber:
      return "number";
    case Type::kString:
      return "string";
    case Type::kStrings:
      return "list of strings";
    case Type::kNumbers:
      return "list of numbers";
    case Type::kNumberMap:
      return "map of numbers";
    case Type::kStringMap:
      return "map of strings";
    case Type::kRecords:
      return "list of mappings";
  }
  return {};
}

struct JsonWriter {
  Json operator()(std::monostate) const { return nullptr; }
  template <class T>
  Json operator()(const T& x) const {
    return x;
  }
  Json operator()(const std::vector<Record>& list) const {
    Json json = Json::array();
    for (const Record& record : list) {
      Json& item = json.emplace_back(Json::object());
      for (const auto& [key, value] : record.values) item[key] = std::visit(*this, value);
    }
    return json;
  }
};

Json to_json(const Field& field) {
  Json json = {{"key", field.key}, {"type", json_type(field.type)}, {"required", field.required}};
  if (!field.required) json["default"] = std::visit(JsonWriter(), field.default_value);
  json["nullable"] = field.nullable;
  if (field.scalar_or_list) json["scalar_or_list"] = true;
  if (field.existing_path) json["existing_path"] = true;
  if (!field.choices.empty()) json["choices"] = field.choices;
  const Range& range = field.range;
  if (std::isfinite(range.low)) json[range.low_open ? "exclusiveMinimum" : "minimum"] = range.low;
  if (std::isfinite(range.high))
    json[range.high_open ? "exclusiveMaximum" : "maximum"] = range.high;
  if (!field.unit.empty()) json["unit"] = field.unit;
  json["help"] = field.help;
  if (field.item == nullptr) return json;
  Json& parts = json["items"] = Json::array();
  for (const Field& part : field.item->fields) parts.push_back(to_json(part));
  return json;
}

}  // namespace

std::string explain(const Schema& schema, std::string_view key) {
  require_known(schema, key);
  for (const Field& field : schema.fields)
    if (field.key == key) return describe(field, "");
  std::string text;
  for (const SectionInfo& section : schema.sections) {
    if (!is_within(section.key, key)) continue;
    if (!text.empty()) text += "\n";
    text += describe(schema, section);
  }
  return text;
}

std::string explain_json(const Schema& schema, std::string_view key) {
  require_known(schema, key);
  Json sections = Json::array(), options = Json::array();
  for (const SectionInfo& section : schema.sections) {
    if (!is_within(section.key, key)) continue;
    Json rules = Json::array();
    for (const Rule& rule : schema.rules)
      if (rule.section == section.key) rules.push_back(rule.text);
    sections.push_back({{"key", section.key}, {"help", section.help}, {"rules", rules}});
  }
  for (const Field& field : schema.fields)
    if (is_within(field.key, key)) options.push_back(to_json(field));
  return Json{{"sections", sections}, {"options", options}}.dump();
}

}  // namespace hone::config
