#include "tokenizer/jinja/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace hone::tokenizer::jinja {
namespace {

[[noreturn]] void throw_type(const std::string& message) {
  throw TemplateFault("TypeError", message);
}

double as_double(const Value& value) {
  if (const auto* number = value.as<double>()) return *number;
  if (const auto* number = value.as<std::int64_t>()) return static_cast<double>(*number);
  return *value.as<bool>() ? 1 : 0;
}

template <class T>
int order(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

int compare_lists(const List& a, const List& b) {
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (!equals(a[i], b[i])) return compare(a[i], b[i]);
  }
  return order(a.size(), b.size());
}

bool is_printable(char32_t c) {
  return c >= 0x20 && c != 0x7F && !is_control(c) && !is_whitespace(c);
}

std::string escape_code_point(char32_t c) {
  const auto value = static_cast<unsigned>(c);
  if (value <= 0xFF) return fmt::format("\\x{:02x}", value);
  return value <= 0xFFFF ? fmt::format("\\u{:04x}", value) : fmt::format("\\U{:08x}", value);
}

// 'text' with Python's choice of quotes and escapes.
Text string_repr(const Text& text) {
  const bool double_quotes = text.str().find('\'') != std::string_view::npos &&
                             text.str().find('"') == std::string_view::npos;
  const char quote = double_quotes ? '"' : '\'';
  const Origin origin = text.main_origin();
  Text result;
  result.append(std::string_view(&quote, 1), origin);
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = code_point_at(text.str(), i);
    const std::string_view bytes = text.str().substr(i, point.size_bytes);
    std::string escaped(bytes);
    if (point.value == static_cast<unsigned char>(quote) || point.value == '\\') {
      escaped.insert(escaped.begin(), '\\');
    } else if (point.value == '\n') {
      escaped = "\\n";
    } else if (point.value == '\r') {
      escaped = "\\r";
    } else if (point.value == '\t') {
      escaped = "\\t";
    } else if (point.value != ' ' && !is_printable(point.value)) {
      escaped = escape_code_point(point.value);
    }
    result.append(escaped, text.origin_at(i));
    i += point.size_bytes;
  }
  return result.append(std::string_view(&quote, 1), origin);
}

Text list_repr(const Value& value, const List& items) {
  Text result(value.is_tuple() ? "(" : "[", value.origin());
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) result.append(", ", value.origin());
    result.append(to_repr(items[i]));
  }
  if (value.is_tuple() && items.size() == 1) result.append(",", value.origin());
  return result.append(value.is_tuple() ? ")" : "]", value.origin());
}

Text dict_repr(const Value& value, const Dict& items) {
  Text result("{", value.origin());
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) result.append(", ", value.origin());
    result.append(to_repr(items[i].first)).append(": ", value.origin());
    result.append(to_repr(items[i].second));
  }
  return result.append("}", value.origin());
}

}  // namespace

Value Arguments::get(std::size_t position, std::string_view name) const {
  if (position < positional.size()) return positional[position];
  for (const auto& [key, value] : named) {
    if (key == name) return value;
  }
  return Value::undefined(fmt::format("parameter '{}' was not provided", name));
}

bool Arguments::has(std::size_t position, std::string_view name) const {
  return position < positional.size() ||
         std::any_of(named.begin(), named.end(),
                     [&](const auto& item) { return item.first == name; });
}

Value::Value() = default;
Value::Value(const Value&) = default;
Value::Value(Value&&) noexcept = default;
Value& Value::operator=(const Value&) = default;
Value& Value::operator=(Value&&) noexcept = default;
Value::~Value() = default;

Value Value::list(List items, ListKind kind, Origin origin) {
  Value value(std::make_shared<const List>(std::move(items)), origin);
  value.list_kind_ = kind;
  return value;
}

Value Value::tuple(List items) { return list(std::move(items), ListKind::kTuple); }
Value Value::generator(List items) { return list(std::move(items), ListKind::kGenerator); }

Value Value::dict(Dict items, Origin origin) {
  return Value(std::make_shared<const Dict>(std::move(items)), origin);
}

Value Value::function(std::string name, std::function<Value(const Arguments&)> call) {
  return Value(std::make_shared<const Function>(Function{std::move(name), std::move(call)}));
}

const List* Value::as_list() const {
  const auto* pointer = as<std::shared_ptr<const List>>();
  return pointer && !is_generator() ? pointer->get() : nullptr;
}

const Dict* Value::as_dict() const {
  const auto* pointer = as<std::shared_ptr<const Dict>>();
  return pointer ? pointer->get() : nullptr;
}

const char* Value::type_name() const {
  constexpr const char* kNames[] = {"Undefined", "NoneType",  "bool",       "int",
                                    "float",     "str",       "list",       "dict",
                                    "function",  "Namespace", "LoopContext"};
  if (is_tuple()) return "tuple";
  return is_generator() ? "generator" : kNames[storage_.index()];
}

bool truth(const Value& value) {
  if (value.is_undefined() || value.is_none()) return false;
  if (const auto* text = value.as<Text>()) return !text->empty();
  if (const auto* list = value.as_list()) return !list->empty();
  if (const auto* dict = value.as_dict()) return !dict->empty();
  if (value.is_number()) return as_double(value) != 0;
  return true;
}

bool equals(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    const auto *i = a.as<std::int64_t>(), *k = b.as<std::int64_t>();
    return i && k ? *i == *k : as_double(a) == as_double(b);
  }
  if (a.is_none() || b.is_none()) return a.is_none() && b.is_none();
  if (a.is_undefined() || b.is_undefined()) return a.is_undefined() && b.is_undefined();
  if (a.is_string() && b.is_string()) return *a.as<Text>() == *b.as<Text>();
  if (a.as_list() && b.as_list() && a.is_tuple() == b.is_tuple()) {
    return std::equal(a.as_list()->begin(), a.as_list()->end(), b.as_list()->begin(),
                      b.as_list()->end(), equals);
  }
  if (a.as_dict() && b.as_dict()) {
    const Dict &left = *a.as_dict(), &right = *b.as_dict();
    return left.size() == right.size() &&
           std::all_of(left.begin(), left.end(), [&](const auto& item) {
             const Value* other = find_key(right, item.first);
             return other != nullptr && equals(item.second, *other);
           });
  }
  return false;
}

int compare(const Value& a, const Value& b) {
  require_defined(a);
  require_defined(b);
  if (a.is_number() && b.is_number()) {
    const auto *i = a.as<std::int64_t>(), *k = b.as<std::int64_t>();
    return i && k ? order(*i, *k) : order(as_double(a), as_double(b));
  }
  // Byte order of UTF-8 is code point order.
  if (a.is_string() && b.is_string()) return order(a.as<Text>()->str(), b.as<Text>()->str());
  if (a.as_list() && b.as_list()) return compare_lists(*a.as_list(), *b.as_list());
  throw_type(fmt::format("'<' not supported between instances of '{}' and '{}'", a.type_name(),
                         b.type_name()));
}

bool contains(const Value& container, const Value& item) {
  if (const auto* text = container.as<Text>()) {
    const auto* part = item.as<Text>();
    if (!part) {
      require_defined(item);
      throw_type(
          fmt::format("'in <string>' requires string as left operand, not {}", item.type_name()));
    }
    return text->str().find(part->str()) != std::string_view::npos;
  }
  if (const auto* dict = container.as_dict()) return find_key(*dict, item) != nullptr;
  if (container.is_none() || container.is_number()) {
    throw_type(fmt::format("argument of type '{}' is not iterable", container.type_name()));
  }
  const List items = iterate(container);
  return std::any_of(items.begin(), items.end(), [&](const Value& v) { return equals(v, item); });
}

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  const auto [end, error] =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  (void)error;  // the buffer holds any double
  const std::string scientific(buffer, end);
  const std::size_t e = scientific.find('e');
  const int exponent = std::stoi(scientific.substr(e + 1));
  if (exponent < -4 || exponent >= 16) {
    return fmt::format("{}e{}{:02d}", scientific.substr(0, e), exponent < 0 ? '-' : '+',
                       std::abs(exponent));
  }
  const auto fixed = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
  std::string result(buffer, fixed.ptr);
  if (result.find('.') == std::string::npos) result += ".0";
  return result;
}

Text to_text(const Value& value) {
  if (const auto* text = value.as<Text>()) return *text;
  if (value.is_undefined()) return Text();
  return to_repr(value);
}

Text to_repr(const Value& value) {
  if (const auto* text = value.as<Text>()) return string_repr(*text);
  if (const auto* list = value.as_list()) return list_repr(value, *list);
  if (const auto* dict = value.as_dict()) return dict_repr(value, *dict);
  if (value.is_undefined()) return Text("Undefined");
  if (value.is_none()) return Text("None", value.origin());
  if (const auto* flag = value.as<bool>()) return Text(*flag ? "True" : "False", value.origin());
  if (const auto* number = value.as<std::int64_t>()) {
    return Text(std::to_string(*number), value.origin());
  }
  if (const auto* number = value.as<double>()) return Text(float_repr(*number), value.origin());
  return Text(fmt::format("<{}>", value.type_name()));
}

List iterate(const Value& value) {
  if (const auto* list = value.as<std::shared_ptr<const List>>()) return **list;
  List items;
  if (const auto* dict = value.as_dict()) {
    for (const auto& item : *dict) items.push_back(item.first);
  } else if (const auto* text = value.as<Text>()) {
    const std::vector<std::size_t> borders = code_point_borders(text->str());
    for (std::size_t i = 0; i + 1 < borders.size(); ++i) {
      items.push_back(text->slice(borders[i], borders[i + 1]));
    }
  } else if (!value.is_undefined()) {
    throw_type(fmt::format("'{}' object is not iterable", value.type_name()));
  }
  return items;
}

std::size_t length(const Value& value) {
  if (const auto* text = value.as<Text>()) return code_point_borders(text->str()).size() - 1;
  if (const auto* list = value.as_list()) return list->size();
  if (const auto* dict = value.as_dict()) return dict->size();
  if (value.is_undefined()) return 0;
  throw_type(fmt::format("object of type '{}' has no len()", value.type_name()));
}

void require_defined(const Value& value) {
  if (const auto* missing = value.as<Undefined>()) {
    throw TemplateFault("UndefinedError", missing->reason);
  }
}

std::int64_t require_integer(const Value& value, std::string_view use) {
  require_defined(value);
  if (const auto* number = value.as<std::int64_t>()) return *number;
  if (const auto* flag = value.as<bool>()) return *flag;
  throw_type(fmt::format("{} needs an int, not {}", use, value.type_name()));
}

double require_number(const Value& value, std::string_view use) {
  require_defined(value);
  if (value.is_number()) return as_double(value);
  throw_type(fmt::format("{} needs a number, not {}", use, value.type_name()));
}

const Text& require_text(const Value& value, std::string_view use) {
  require_defined(value);
  if (const auto* text = value.as<Text>()) return *text;
  throw_type(fmt::format("{} needs a str, not {}", use, value.type_name()));
}

const Value* find_key(const Dict& dict, const Value& key) {
  for (const auto& [name, value] : dict) {
    if (equals(name, key)) return &value;
  }
  return nullptr;
}

}  // namespace hone::tokenizer::jinja
