#include "config/value.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <string_view>

#include "config/problems.h"

namespace hone::config {
namespace {

std::string bounds(const Range& range) {
  const bool low = std::isfinite(range.low), high = std::isfinite(range.high);
  if (low && high && !range.low_open && !range.high_open)
    return fmt::format(" from {} to {}", range.low, range.high);
  std::string text;
  if (low) text += fmt::format(" {} {}", range.low_open ? "above" : "of at least", range.low);
  if (low && high) text += " and";
  if (high) text += fmt::format(" {} {}", range.high_open ? "below" : "of at most", range.high);
  return text;
}

bool is_inside(double x, const Range& range) {
  return (range.low_open ? x > range.low : x >= range.low) &&
         (range.high_open ? x < range.high : x <= range.high);
}

std::string type_phrase(const Field& field) {
  const std::string choice = fmt::format("one of {}", fmt::join(field.choices, ", "));
  switch (field.type) {
    case Type::kNull:
      return "null";
    case Type::kBool:
      return "true or false";
    case Type::kInteger:
      return "an integer" + bounds(field.range);
    case Type::kNumber:
      return "a number" + bounds(field.range);
    case Type::kString:
      if (!field.choices.empty()) return choice;
      return field.existing_path ? "an existing path" : "a string";
    case Type::kStrings:
      return fmt::format("a list of {}{}{}", field.existing_path ? "existing paths" : "strings",
                         field.choices.empty() ? "" : ", each " + choice,
                         field.scalar_or_list ? ", or a single one" : "");
    case Type::kNumbers:
      return "a list of numbers" + bounds(field.range);
    case Type::kNumberMap:
      return "a mapping of names to numbers" + bounds(field.range);
    case Type::kStringMap:
      return "a mapping of names to names";
    case Type::kRecords:
      return "a list of mappings";
  }
  return {};
}

std::string got(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return "nothing (null)";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kMapping:
      return "a mapping";
    case Node::Kind::kScalar:
    case Node::Kind::kRefused:
      break;
  }
  const std::string text = quote(shortened(node.text));
  return node.quoted ? "the quoted text " + text : text;
}

[[noreturn]] void refuse(const Node& node, std::string_view hint = "") {
  throw BadValue{node.line, fmt::format("got {}{}", got(node), hint)};
}

/// A scalar that is not text in quotes.
const std::string& plain_text(const Node& node) {
  if (node.kind != Node::Kind::kScalar) refuse(node);
  if (node.quoted) refuse(node, "; write it without quotes");
  return node.text;
}

/// YAML 1.2's core schema: the words of 1.1 (yes, no, on, off) are text.
bool is_boolean(std::string_view text, bool& value) {
  value = text == "true" || text == "True" || text == "TRUE";
  return value || text == "false" || text == "False" || text == "FALSE";
}

bool read_bool(const Node& node) {
  bool value = false;
  if (!is_boolean(plain_text(node), value)) refuse(node, "; write true or false");
  return value;
}

/// The number that `text` writes in decimal: -?(0|[1-9]...)(.[0-9]*)?([eE][+-]?[0-9]+)?, also with
/// a plus sign or a leading point, as YAML 1.2 has it. No hexadecimal, infinity or NaN.
bool parse_number(std::string_view text, double& value) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  if (digits.empty() || !(std::isdigit(static_cast<unsigned char>(digits[0])) || digits[0] == '.'))
    return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

double read_number(const Node& node) {
  const std::string& text = plain_text(node);
  double value = 0;
  if (parse_number(text, value)) return value;
  if (text.ends_with("inf") || text.ends_with("nan") || text.ends_with("NaN"))
    refuse(node, "; only finite numbers are taken");
  refuse(node);
}

std::int64_t read_integer(const Node& node) {
  std::string_view text = plain_text(node);
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  if (end == text.data() + text.size()) {
    if (error == std::errc::result_out_of_range) refuse(node, "; it does not fit 64 bits");
    // YAML 1.1 reads such a number as octal, YAML 1.2 as decimal.
    if (digits.size() > 1 && digits[0] == '0') refuse(node, "; write it without leading zeros");
    if (error == std::errc()) return value;
  }
  constexpr double kExact = 9007199254740992;  // 2^53: up to here a double holds every integer
  double number = 0;
  if (parse_number(text, number) && number == std::floor(number) && std::abs(number) <= kExact)
    refuse(node, fmt::format("; write {}", static_cast<std::int64_t>(number)));
  refuse(node);
}

std::string read_string(const Node& node) {
  if (node.kind != Node::Kind::kScalar) refuse(node);
  bool value = false;
  if (!node.quoted && is_boolean(node.text, value))
    refuse(node, "; put quotes around it where the text is meant");
  return node.text;
}

template <class Read>
auto read_list(const Node& node, Read read) {
  if (node.kind != Node::Kind::kList) refuse(node);
  std::vector<decltype(read(node))> values;
  for (const Node& item : node.items) values.push_back(read(item));
  return values;
}

template <class Read>
auto read_map(const Node& node, Read read) {
  if (node.kind != Node::Kind::kMapping) refuse(node);
  std::map<std::string, decltype(read(node))> values;
  for (const Node& item : node.items) values[item.key] = read(item);
  return values;
}

Value read_typed(const Node& node, const Field& field) {
  switch (field.type) {
    case Type::kNull:
    case Type::kRecords:
      break;
    case Type::kBool:
      return read_bool(node);
    case Type::kInteger:
      return read_integer(node);
    case Type::kNumber:
      return read_number(node);
    case Type::kString:
      return read_string(node);
    case Type::kNumbers:
      return read_list(node, read_number);
    case Type::kStrings:
      if (field.scalar_or_list && node.kind == Node::Kind::kScalar)
        return std::vector<std::string>{read_string(node)};
      return read_list(node, read_string);
    case Type::kNumberMap:
      return read_map(node, read_number);
    case Type::kStringMap:
      return read_map(node, read_string);
  }
  refuse(node);
}

/// What keeps a value of the right type from satisfying the field's range or choices.
struct Constraints {
  const Field& field;

  std::string operator()(std::monostate) const { return {}; }
  std::string operator()(bool) const { return {}; }
  std::string operator()(std::int64_t x) const {
    return is_inside(static_cast<double>(x), field.range) ? "" : fmt::format("got {}", x);
  }
  std::string operator()(double x) const {
    return is_inside(x, field.range) ? "" : fmt::format("got {}", x);
  }
  std::string operator()(const std::string& x) const {
    const auto& choices = field.choices;
    if (choices.empty() || std::find(choices.begin(), choices.end(), x) != choices.end()) return {};
    return fmt::format("got {}{}", quote(shortened(x)), did_you_mean(x, choices));
  }
  template <class T>
  std::string operator()(const std::vector<T>& list) const {
    for (const T& x : list)
      if (std::string why = (*this)(x); !why.empty()) return why;
    return {};
  }
  template <class T>
  std::string operator()(const std::map<std::string, T>& map) const {
    for (const auto& [key, x] : map)
      if (std::string why = (*this)(x); !why.empty()) return why;
    return {};
  }
  std::string operator()(const std::vector<Record>&) const { return {}; }
};

/// Shortest digits that read as the same double. With a point, since YAML 1.1 readers take `1e-05`
/// for text.
std::string number_text(double x) {
  if (!std::isfinite(x)) return std::isnan(x) ? ".nan" : x > 0 ? ".inf" : "-.inf";
  std::string text = fmt::format("{}", x);
  if (text.find('.') != std::string::npos) return text;
  return text.insert(std::min(text.find('e'), text.size()), ".0");
}

struct YamlWriter {
  std::string operator()(std::monostate) const { return "null"; }
  std::string operator()(bool x) const { return x ? "true" : "false"; }
  std::string operator()(std::int64_t x) const { return fmt::format("{}", x); }
  std::string operator()(double x) const { return number_text(x); }
  std::string operator()(const std::string& x) const { return yaml_string(x); }
  template <class T>
  std::string operator()(const std::vector<T>& list) const {
    std::vector<std::string> texts;
    for (const T& x : list) texts.push_back((*this)(x));
    return fmt::format("[{}]", fmt::join(texts, ", "));
  }
  template <class T>
  std::string operator()(const std::map<std::string, T>& map) const {
    std::vector<std::string> texts;
    for (const auto& [key, x] : map) texts.push_back((*this)(key) + ": " + (*this)(x));
    return fmt::format("{{{}}}", fmt::join(texts, ", "));
  }
  std::string operator()(const Record& record) const {
    std::vector<std::string> texts;
    for (const auto& [key, value] : record.values)
      texts.push_back(fmt::format("{}: {}", key, to_yaml(value)));
    return fmt::format("{{{}}}", fmt::join(texts, ", "));
  }
};

}  // namespace

std::string expected(const Field& field) {
  return type_phrase(field) + (field.nullable ? ", or null" : "");
}

Value read_value(const Node& node, const Field& field) {
  if (node.kind == Node::Kind::kNull && field.nullable) return {};
  Value value;
  try {
    value = read_typed(node, field);
  } catch (const BadValue& bad) {
    throw BadValue{bad.line, fmt::format("expected {}, {}", expected(field), bad.what)};
  }
  if (std::string why = violation(value, field); !why.empty()) throw BadValue{node.line, why};
  return value;
}

std::string violation(const Value& value, const Field& field) {
  if (field.nullable && std::holds_alternative<std::monostate>(value)) return {};
  const bool right_type = value.index() == static_cast<std::size_t>(field.type);
  const std::string why =
      right_type ? std::visit(Constraints{field}, value) : fmt::format("got {}", to_yaml(value));
  return why.empty() ? "" : fmt::format("expected {}, {}", expected(field), why);
}

std::string to_yaml(const Value& value) { return std::visit(YamlWriter(), value); }

}  // namespace hone::config
