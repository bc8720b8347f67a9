#pragma once

#include <string_view>

#include "tokenizer/jinja/value.h"

namespace hone::tokenizer::jinja {

/// Arithmetic and comparison: + - * / // % ** ~ == != < <= > >= in, not in.
/// @throws TemplateFault as Python would
Value apply_operator(std::string_view op, const Value& left, const Value& right);

/// object.name: a method, or what the object holds under that name; undefined where neither is.
Value get_attribute(const Value& object, const std::string& name);
/// object[key].
Value get_item(const Value& object, const Value& key);
/// object[start:stop:step], each of them undefined where it is left out.
Value get_slice(const Value& object, const Value& start, const Value& stop, const Value& step);

/// A method of str, dict or list, bound to the object; undefined where there is none of that name.
Value find_method(const Value& object, const std::string& name);

/// format % values, as Python's: a tuple's values one by one, a dict's by %(key)s.
/// @throws TemplateFault TypeError and its kin, as Python would
Text print_format(const Text& format, const Value& values);

/// value|name(arguments). @throws TemplateFault for an unknown filter or what it raises
Value apply_filter(const std::string& name, const Value& value, const Arguments& arguments);
/// value is name(arguments).
bool apply_test(const std::string& name, const Value& value, const Arguments& arguments);

bool has_filter(const std::string& name);

/// range, dict, namespace, raise_exception and the like; nullptr where there is none of that name.
const Value* find_global(const std::string& name);

struct JsonFormat {
  bool ensure_ascii = false;
  bool sort_keys = false;
  std::int64_t indent = -1;  // none where negative
  std::string item_separator = ", ", key_separator = ": ";
};

/// json.dumps, each character keeping the origin of the value that it writes.
/// @throws TemplateFault TypeError for what JSON cannot hold
Text to_json(const Value& value, const JsonFormat& format);

}  // namespace hone::tokenizer::jinja
