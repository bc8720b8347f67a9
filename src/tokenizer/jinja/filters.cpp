#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>

#include "tokenizer/jinja/list_filters.h"
#include "tokenizer/jinja/operators.h"
#include "tokenizer/jinja/text_filters.h"
#include "tokenizer/utf8.h"

namespace hone::tokenizer::jinja {
namespace {

using Filter = Value (*)(const Value&, const Arguments&);

Value trim_filter(const Value& value, const Arguments& arguments) {
  const Value chars = arguments.get(0, "chars");
  if (chars.is_undefined() || chars.is_none()) return strip(to_text(value), true, true);
  const std::string_view set = require_text(chars, "trim").str();
  return strip(to_text(value), true, true, &set);
}

Value default_filter(const Value& value, const Arguments& arguments) {
  const bool missing =
      value.is_undefined() || (truth(arguments.get(1, "boolean")) && !truth(value));
  if (!missing) return value;
  return arguments.has(0, "default_value") ? arguments.get(0, "default_value") : Value("");
}

Value replace_filter(const Value& value, const Arguments& arguments) {
  const Value count = arguments.get(2, "count");
  const std::int64_t limit =
      count.is_undefined() || count.is_none() ? -1 : require_integer(count, "replace");
  return replace(to_text(value), to_text(arguments.get(0, "old")).str(),
                 to_text(arguments.get(1, "new")), limit);
}

Value tojson_filter(const Value& value, const Arguments& arguments) {
  JsonFormat format;
  format.ensure_ascii = truth(arguments.get(0, "ensure_ascii"));
  const Value indent = arguments.get(1, "indent");
  if (!indent.is_undefined() && !indent.is_none()) {
    format.indent = require_integer(indent, "tojson");
    format.item_separator = ",";
  }
  const Value separators = arguments.get(2, "separators");
  if (!separators.is_undefined() && !separators.is_none()) {
    const List pair = iterate(separators);
    if (pair.size() != 2) throw TemplateFault("ValueError", "separators must be a pair");
    format.item_separator = require_text(pair[0], "tojson").str();
    format.key_separator = require_text(pair[1], "tojson").str();
  }
  format.sort_keys = truth(arguments.get(3, "sort_keys"));
  return to_json(value, format);
}

Value indent_filter(const Value& value, const Arguments& arguments) {
  const Value width = arguments.get(0, "width");
  Text pad;
  if (width.is_string()) {
    pad = *width.as<Text>();
  } else {
    const std::int64_t count = width.is_undefined() ? 4 : require_integer(width, "indent");
    pad =
        Text(std::string(static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, 1000)), ' '));
  }
  const bool first = truth(arguments.get(1, "first")), blank = truth(arguments.get(2, "blank"));
  const std::vector<Text> lines = split(to_text(value), "\n", -1, false);
  Text result;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) result.append("\n", lines[i].main_origin());
    if (i == 0 ? first : blank || !lines[i].empty()) result.append(pad);
    result.append(lines[i]);
  }
  return result;
}

// Upper case after a space or an opening bracket or hyphen, lower case elsewhere.
Value title_filter(const Value& value, const Arguments&) {
  const Text text = to_text(value);
  Text result;
  bool begins = true;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = code_point_at(text.str(), i);
    const Text one = text.slice(i, i + point.size_bytes);
    const bool separates =
        is_python_space(point.value) ||
        (point.value < 0x80 &&
         std::string_view("-({[<").find(static_cast<char>(point.value)) != std::string_view::npos);
    result.append(begins ? to_upper(one) : to_lower(one));
    begins = separates;
    i += point.size_bytes;
  }
  return result;
}

Value escape_filter(const Value& value, const Arguments&) {
  Text text = to_text(value);
  for (const auto& [from, to] :
       {std::pair{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"'", "&#39;"}, {"\"", "&#34;"}}) {
    text = replace(text, from, Text(to));
  }
  return text;
}

Value int_filter(const Value& value, const Arguments& arguments) {
  const Value otherwise =
      arguments.has(0, "default") ? arguments.get(0, "default") : Value(std::int64_t{0});
  if (const auto* number = value.as<double>()) {
    return std::isfinite(*number) ? Value(static_cast<std::int64_t>(*number)) : otherwise;
  }
  if (value.is_number()) return require_integer(value, "int");
  if (!value.is_string()) return otherwise;
  const Text stripped = strip(*value.as<Text>(), true, true);
  std::string_view digits = stripped.str();
  if (digits.starts_with('+')) digits.remove_prefix(1);
  std::int64_t result = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), result);
  if (error == std::errc() && end == digits.data() + digits.size()) return result;
  double real = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), real);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size();
  return whole && std::abs(real) < 9e18 ? Value(static_cast<std::int64_t>(real)) : otherwise;
}

Value float_filter(const Value& value, const Arguments& arguments) {
  if (value.is_number()) return require_number(value, "float");
  const Value otherwise = arguments.has(0, "default") ? arguments.get(0, "default") : Value(0.0);
  if (!value.is_string()) return otherwise;
  const Text stripped = strip(*value.as<Text>(), true, true);
  double real = 0;
  const char* last = stripped.str().data() + stripped.size();
  const auto [end, error] = std::from_chars(stripped.str().data(), last, real);
  return error == std::errc() && end == last ? Value(real) : otherwise;
}

Value round_filter(const Value& value, const Arguments& arguments) {
  const Value precision = arguments.get(0, "precision"), method = arguments.get(1, "method");
  const double scale =
      std::pow(10.0, precision.is_undefined() ? 0.0 : require_number(precision, "round"));
  const double scaled = require_number(value, "round") * scale;
  const std::string_view how =
      method.is_undefined() ? "common" : require_text(method, "round").str();
  if (how == "ceil") return std::ceil(scaled) / scale;
  if (how == "floor") return std::floor(scaled) / scale;
  return std::nearbyint(scaled) / scale;  // half to even, as Python's round
}

Value abs_filter(const Value& value, const Arguments&) {
  if (const auto* number = value.as<double>()) return std::abs(*number);
  return std::abs(require_integer(value, "abs"));
}

Value items_filter(const Value& value, const Arguments&) {
  if (value.is_undefined()) return Value::list({});
  if (!value.as_dict()) throw TemplateFault("TypeError", "Can only get item pairs from a mapping.");
  List items;
  for (const auto& [key, item] : *value.as_dict()) items.push_back(Value::tuple({key, item}));
  return Value::generator(std::move(items));
}

Value wordcount_filter(const Value& value, const Arguments&) {
  return static_cast<std::int64_t>(split_whitespace(to_text(value), -1, false).size());
}

const std::unordered_map<std::string, Filter>& filters() {
  using A = const Arguments&;
  using V = const Value&;
  static const std::unordered_map<std::string, Filter> table = [] {
    std::unordered_map<std::string, Filter> all{
        {"trim", trim_filter},
        {"default", default_filter},
        {"d", default_filter},
        {"replace", replace_filter},
        {"tojson", tojson_filter},
        {"indent", indent_filter},
        {"title", title_filter},
        {"escape", escape_filter},
        {"e", escape_filter},
        {"forceescape", escape_filter},
        {"int", int_filter},
        {"float", float_filter},
        {"round", round_filter},
        {"abs", abs_filter},
        {"items", items_filter},
        {"wordcount", wordcount_filter},
        {"upper", [](V v, A) { return Value(to_upper(to_text(v))); }},
        {"lower", [](V v, A) { return Value(to_lower(to_text(v))); }},
        {"capitalize", [](V v, A) { return Value(capitalize(to_text(v))); }},
        {"string", [](V v, A) { return Value(to_text(v)); }},
        {"safe", [](V v, A) { return Value(to_text(v)); }},
        {"length", [](V v, A) { return Value(static_cast<std::int64_t>(length(v))); }},
        {"count", [](V v, A) { return Value(static_cast<std::int64_t>(length(v))); }},
        {"attr",
         [](V v, A a) {
           return get_attribute(v, std::string(require_text(a.get(0, "name"), "attr").str()));
         }},
    };
    for (const auto& [name, filter] : list_filters()) all.emplace(name, filter);
    for (const auto& [name, filter] : text_filters()) all.emplace(name, filter);
    return all;
  }();
  return table;
}

}  // namespace

bool has_filter(const std::string& name) { return filters().count(name) > 0; }

Value apply_filter(const std::string& name, const Value& value, const Arguments& arguments) {
  const auto it = filters().find(name);
  if (it == filters().end()) {
    throw TemplateFault("TemplateRuntimeError", fmt::format("No filter named '{}' found.", name));
  }
  return it->second(value, arguments);
}

}  // namespace hone::tokenizer::jinja
