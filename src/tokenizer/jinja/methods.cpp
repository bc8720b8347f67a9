#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "tokenizer/jinja/operators.h"
#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace hone::tokenizer::jinja {
namespace {

using TextMethod = Value (*)(const Text&, const Arguments&);
using DictMethod = Value (*)(const Value&, const Arguments&);

Text text_argument(const Arguments& arguments, std::size_t position, const char* name) {
  return require_text(arguments.get(position, name), name);
}

std::int64_t integer_or(const Arguments& arguments, std::size_t position, const char* name,
                        std::int64_t otherwise) {
  if (!arguments.has(position, name)) return otherwise;
  return require_integer(arguments.get(position, name), name);
}

Value to_list(std::vector<Text> pieces) {
  return Value::list(
      List(std::make_move_iterator(pieces.begin()), std::make_move_iterator(pieces.end())));
}

Value strip_method(const Text& text, const Arguments& arguments, bool left, bool right) {
  const Value chars = arguments.get(0, "chars");
  if (chars.is_undefined() || chars.is_none()) return strip(text, left, right);
  const std::string_view set = require_text(chars, "strip").str();
  return strip(text, left, right, &set);
}

Value split_method(const Text& text, const Arguments& arguments, bool from_right) {
  const Value separator = arguments.get(0, "sep");
  const std::int64_t limit = integer_or(arguments, 1, "maxsplit", -1);
  if (separator.is_undefined() || separator.is_none()) {
    return to_list(split_whitespace(text, limit, from_right));
  }
  const Text& by = require_text(separator, "split");
  if (by.empty()) throw TemplateFault("ValueError", "empty separator");
  return to_list(split(text, by.str(), limit, from_right));
}

Value partition_method(const Text& text, const Arguments& arguments, bool from_right) {
  const Text by = text_argument(arguments, 0, "sep");
  if (by.empty()) throw TemplateFault("ValueError", "empty separator");
  const std::size_t at = from_right ? text.str().rfind(by.str()) : text.str().find(by.str());
  if (at == std::string_view::npos) {
    return from_right ? Value::tuple({Text(), Text(), text}) : Value::tuple({text, Text(), Text()});
  }
  const std::size_t end = at + by.size();
  return Value::tuple({text.slice(0, at), text.slice(at, end), text.slice(end, text.size())});
}

// Whether one of the given strings (or of a tuple of them) satisfies the predicate.
template <class Predicate>
Value any_of_texts(const Value& argument, Predicate predicate) {
  if (argument.is_tuple()) {
    const List& items = *argument.as_list();
    return std::any_of(items.begin(), items.end(), [&](const Value& item) {
      return predicate(require_text(item, "a prefix or suffix").str());
    });
  }
  return predicate(require_text(argument, "a prefix or suffix").str());
}

// The code point index of a byte position; -1 for none.
Value find_method_result(const Text& text, std::size_t byte) {
  if (byte == std::string_view::npos) return std::int64_t{-1};
  return static_cast<std::int64_t>(code_point_borders(text.str().substr(0, byte)).size() - 1);
}

Value count_method(const Text& text, const Arguments& arguments) {
  const Text argument = text_argument(arguments, 0, "sub");
  const std::string_view part = argument.str();
  if (part.empty()) return static_cast<std::int64_t>(code_point_borders(text.str()).size());
  std::int64_t count = 0;
  for (std::size_t at = text.str().find(part); at != std::string_view::npos;
       at = text.str().find(part, at + part.size())) {
    ++count;
  }
  return count;
}

// str.format with {}, {0} and {name}; conversions and format specifications are not supported.
Value format_method(const Text& text, const Arguments& arguments) {
  Text result;
  std::size_t next = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text.str()[i];
    if (c != '{' && c != '}') {
      result.append(text.slice(i, i + 1));
      continue;
    }
    if (i + 1 < text.size() && text.str()[i + 1] == c) {
      result.append(text.slice(i, i + 1));
      ++i;
      continue;
    }
    const std::size_t end = text.str().find('}', i);
    if (c == '}' || end == std::string_view::npos) {
      throw TemplateFault("ValueError", "a single brace in a format string");
    }
    const std::string field(text.str().substr(i + 1, end - i - 1));
    if (field.find_first_of(":!.[") != std::string::npos) {
      throw TemplateFault("ValueError", fmt::format("format field {{{}}} is not supported", field));
    }
    const bool number = field.find_first_not_of("0123456789") == std::string::npos;
    std::size_t position = kNamedOnly;
    if (number && field.size() <= 4) position = field.empty() ? next++ : std::stoul(field);
    if (!arguments.has(position, field)) {
      throw TemplateFault("IndexError", fmt::format("no argument for format field {{{}}}", field));
    }
    result.append(to_text(arguments.get(position, field)));
    i = end;
  }
  return result;
}

Value join_method(const Text& text, const Arguments& arguments) {
  const List items = iterate(arguments.get(0, "iterable"));
  Text result;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) result.append(text);
    result.append(require_text(items[i], "join"));
  }
  return result;
}

// Title case as str.title has it: a letter after one that is none begins a word.
Value title_method(const Text& text, const Arguments&) {
  Text result;
  bool in_word = false;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = code_point_at(text.str(), i);
    const Text one = text.slice(i, i + point.size_bytes);
    result.append(in_word ? to_lower(one) : to_upper(one));
    in_word = is_letter(point.value);
    i += point.size_bytes;
  }
  return result;
}

// True where there is a character and all satisfy the predicate.
template <class Predicate>
bool all_characters(const Text& text, Predicate predicate) {
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = code_point_at(text.str(), i);
    if (!predicate(point.value)) return false;
    i += point.size_bytes;
  }
  return !text.empty();
}

// isupper and islower look at cased letters only, and want one.
bool has_case(const Text& text, bool (*wanted)(char32_t), bool (*other)(char32_t)) {
  bool any = false;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = code_point_at(text.str(), i);
    if (other(point.value)) return false;
    any = any || wanted(point.value);
    i += point.size_bytes;
  }
  return any;
}

Value pad(const Text& text, const Arguments& arguments, bool left, bool right) {
  const std::int64_t width = require_integer(arguments.get(0, "width"), "width");
  const Value fill = arguments.get(1, "fillchar");
  const Text with = fill.is_undefined() ? Text(" ") : require_text(fill, "fillchar");
  const std::int64_t missing = width - static_cast<std::int64_t>(length(Value(text)));
  if (missing <= 0) return text;
  // str.center puts the odd one to the left where the width is odd.
  const std::int64_t before = left && right ? missing / 2 + (missing & width & 1)
                              : left        ? missing
                                            : 0;
  Text result = *apply_operator("*", Value(with), Value(before)).as<Text>();
  result.append(text);
  return result.append(*apply_operator("*", Value(with), Value(missing - before)).as<Text>());
}

Value without_affix(const Text& text, const Text& affix, bool prefix) {
  if (prefix && text.str().starts_with(affix.str())) return text.slice(affix.size(), text.size());
  if (!prefix && text.str().ends_with(affix.str()))
    return text.slice(0, text.size() - affix.size());
  return text;
}

Value found(Value place) {
  if (*place.as<std::int64_t>() < 0) throw TemplateFault("ValueError", "substring not found");
  return place;
}

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

Value swapcase_method(const Text& text, const Arguments&) {
  Text result;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = code_point_at(text.str(), i);
    const Text one = text.slice(i, i + point.size_bytes);
    result.append(is_upper(point.value) ? to_lower(one) : to_upper(one));
    i += point.size_bytes;
  }
  return result;
}

Value zfill_method(const Text& text, const Arguments& arguments) {
  const std::int64_t width = require_integer(arguments.get(0, "width"), "zfill");
  const std::int64_t missing = width - static_cast<std::int64_t>(length(Value(text)));
  if (missing <= 0) return text;
  const bool has_sign = text.str().starts_with('-') || text.str().starts_with('+');
  Text result = text.slice(0, has_sign ? 1 : 0);
  result.append(*apply_operator("*", Value(Text("0", text.main_origin())), missing).as<Text>());
  return result.append(text.slice(has_sign ? 1 : 0, text.size()));
}

Value expandtabs_method(const Text& text, const Arguments& arguments) {
  const std::int64_t size = integer_or(arguments, 0, "tabsize", 8);
  Text result;
  std::int64_t column = 0;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = code_point_at(text.str(), i);
    if (point.value == '\t') {
      const std::int64_t blanks = size > 0 ? size - column % size : 0;
      result.append(std::string(static_cast<std::size_t>(blanks), ' '), text.origin_at(i));
      column += blanks;
    } else {
      result.append(text.slice(i, i + point.size_bytes));
      column = point.value == '\n' || point.value == '\r' ? 0 : column + 1;
    }
    i += point.size_bytes;
  }
  return result;
}

const std::unordered_map<std::string, TextMethod>& text_methods() {
  using A = const Arguments&;
  using T = const Text&;
  static const std::unordered_map<std::string, TextMethod> methods{
      {"strip", [](T t, A a) { return strip_method(t, a, true, true); }},
      {"lstrip", [](T t, A a) { return strip_method(t, a, true, false); }},
      {"rstrip", [](T t, A a) { return strip_method(t, a, false, true); }},
      {"upper", [](T t, A) { return Value(to_upper(t)); }},
      {"lower", [](T t, A) { return Value(to_lower(t)); }},
      {"capitalize", [](T t, A) { return Value(capitalize(t)); }},
      {"title", title_method},
      {"split", [](T t, A a) { return split_method(t, a, false); }},
      {"rsplit", [](T t, A a) { return split_method(t, a, true); }},
      {"splitlines", [](T t, A a) { return to_list(split_lines(t, truth(a.get(0, "keepends")))); }},
      {"partition", [](T t, A a) { return partition_method(t, a, false); }},
      {"rpartition", [](T t, A a) { return partition_method(t, a, true); }},
      {"replace",
       [](T t, A a) {
         return Value(replace(t, text_argument(a, 0, "old").str(), text_argument(a, 1, "new"),
                              integer_or(a, 2, "count", -1)));
       }},
      {"startswith",
       [](T t, A a) {
         return any_of_texts(a.get(0, "prefix"), [&](auto s) { return t.str().starts_with(s); });
       }},
      {"endswith",
       [](T t, A a) {
         return any_of_texts(a.get(0, "suffix"), [&](auto s) { return t.str().ends_with(s); });
       }},
      {"removeprefix",
       [](T t, A a) { return without_affix(t, text_argument(a, 0, "prefix"), true); }},
      {"removesuffix",
       [](T t, A a) { return without_affix(t, text_argument(a, 0, "suffix"), false); }},
      {"find",
       [](T t, A a) {
         return find_method_result(t, t.str().find(text_argument(a, 0, "sub").str()));
       }},
      {"rfind",
       [](T t, A a) {
         return find_method_result(t, t.str().rfind(text_argument(a, 0, "sub").str()));
       }},
      {"count", count_method},
      {"join", join_method},
      {"format", format_method},
      {"isdigit",
       [](T t, A) { return Value(all_characters(t, [](char32_t c) { return is_numeric(c); })); }},
      {"isnumeric",
       [](T t, A) { return Value(all_characters(t, [](char32_t c) { return is_numeric(c); })); }},
      {"isalpha", [](T t, A) { return Value(all_characters(t, is_letter)); }},
      {"isalnum",
       [](T t, A) {
         return Value(all_characters(t, [](char32_t c) { return is_letter(c) || is_numeric(c); }));
       }},
      {"isspace", [](T t, A) { return Value(all_characters(t, is_python_space)); }},
      {"isupper", [](T t, A) { return Value(has_case(t, is_upper, is_lower)); }},
      {"islower", [](T t, A) { return Value(has_case(t, is_lower, is_upper)); }},
      {"casefold",
       [](T t, A) { return Value(replace(to_lower(t), "ß", Text("ss", t.main_origin()))); }},
      {"swapcase", swapcase_method},
      {"zfill", zfill_method},
      {"expandtabs", expandtabs_method},
      {"index",
       [](T t, A a) {
         return found(find_method_result(t, t.str().find(text_argument(a, 0, "sub").str())));
       }},
      {"rindex",
       [](T t, A a) {
         return found(find_method_result(t, t.str().rfind(text_argument(a, 0, "sub").str())));
       }},
      {"isascii", [](T t, A) { return Value(std::ranges::all_of(t.str(), is_ascii)); }},
      {"isdecimal",
       [](T t, A) { return Value(all_characters(t, [](char32_t c) { return is_numeric(c); })); }},
      {"ljust", [](T t, A a) { return pad(t, a, false, true); }},
      {"rjust", [](T t, A a) { return pad(t, a, true, false); }},
      {"center", [](T t, A a) { return pad(t, a, true, true); }},
  };
  return methods;
}

Value dict_items(const Value& value, const Arguments&) {
  List items;
  for (const auto& [key, item] : *value.as_dict()) items.push_back(Value::tuple({key, item}));
  return Value::list(std::move(items));
}

Value dict_values(const Value& value, const Arguments&) {
  List values;
  for (const auto& item : *value.as_dict()) values.push_back(item.second);
  return Value::list(std::move(values));
}

Value dict_get(const Value& value, const Arguments& arguments) {
  if (const Value* found = find_key(*value.as_dict(), arguments.get(0, "key"))) return *found;
  return arguments.has(1, "default") ? arguments.get(1, "default") : Value::none();
}

const std::unordered_map<std::string, DictMethod>& dict_methods() {
  static const std::unordered_map<std::string, DictMethod> methods{
      {"items", dict_items},
      {"keys", [](const Value& v, const Arguments&) { return Value::list(iterate(v)); }},
      {"values", dict_values},
      {"get", dict_get},
      {"copy", [](const Value& v, const Arguments&) { return v; }},
  };
  return methods;
}

Value list_index(const Value& value, const Arguments& arguments) {
  const List& items = *value.as_list();
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (equals(items[i], arguments.get(0, "value"))) return static_cast<std::int64_t>(i);
  }
  throw TemplateFault("ValueError", "the value is not in the list");
}

Value list_count(const Value& value, const Arguments& arguments) {
  const List& items = *value.as_list();
  return static_cast<std::int64_t>(
      std::count_if(items.begin(), items.end(),
                    [&](const Value& item) { return equals(item, arguments.get(0, "value")); }));
}

}  // namespace

Value find_method(const Value& object, const std::string& name) {
  if (const auto* text = object.as<Text>()) {
    const auto it = text_methods().find(name);
    if (it == text_methods().end()) return {};
    return Value::function(name, [text = *text, method = it->second](const Arguments& arguments) {
      return method(text, arguments);
    });
  }
  if (object.as_dict()) {
    const auto it = dict_methods().find(name);
    if (it == dict_methods().end()) return {};
    return Value::function(name, [object, method = it->second](const Arguments& arguments) {
      return method(object, arguments);
    });
  }
  if (object.as_list() && (name == "index" || name == "count")) {
    return Value::function(name,
                           [object, method = name == "index" ? list_index : list_count](
                               const Arguments& arguments) { return method(object, arguments); });
  }
  if (object.as_list() && (name == "append" || name == "extend" || name == "insert" ||
                           name == "pop" || name == "remove" || name == "sort")) {
    throw TemplateFault(
        "SecurityError",
        fmt::format("list.{} is not allowed: templates may not change values", name));
  }
  return {};
}

}  // namespace hone::tokenizer::jinja
