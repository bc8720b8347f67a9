#include "tokenizer/jinja/operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hone::tokenizer::jinja {
namespace {

[[noreturn]] void throw_operands(std::string_view op, const Value& left, const Value& right) {
  throw TemplateFault("TypeError", fmt::format("unsupported operand type(s) for {}: '{}' and '{}'",
                                               op, left.type_name(), right.type_name()));
}

bool is_integer(const Value& value) { return value.as<std::int64_t>() || value.as<bool>(); }

Value integer_result(std::string_view op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflow = false;
  if (op == "+") overflow = __builtin_add_overflow(a, b, &result);
  if (op == "-") overflow = __builtin_sub_overflow(a, b, &result);
  if (op == "*") overflow = __builtin_mul_overflow(a, b, &result);
  if (overflow) throw TemplateFault("OverflowError", "an integer beyond 64 bits");
  return result;
}

// Division and remainder that round towards minus infinity.
Value floor_division(std::string_view op, const Value& left, const Value& right) {
  const double divisor = require_number(right, op);
  if (divisor == 0) throw TemplateFault("ZeroDivisionError", "division by zero");
  if (!is_integer(left) || !is_integer(right)) {
    const double quotient = std::floor(require_number(left, op) / divisor);
    return op == "//" ? quotient : require_number(left, op) - quotient * divisor;
  }
  const std::int64_t a = require_integer(left, op), b = require_integer(right, op);
  if (b == -1) return op == "//" ? integer_result("-", 0, a) : Value(std::int64_t{0});
  const std::int64_t quotient = a / b - ((a % b != 0) && ((a < 0) != (b < 0)));
  return op == "//" ? quotient : a - quotient * b;
}

Value power(const Value& left, const Value& right) {
  const double base = require_number(left, "**"), exponent = require_number(right, "**");
  if (!is_integer(left) || !is_integer(right) || exponent < 0) {
    if (base == 0 && exponent < 0)
      throw TemplateFault("ZeroDivisionError", "0.0 cannot be raised to a negative power");
    if (base < 0 && exponent != std::trunc(exponent))
      throw TemplateFault("TypeError", "a complex number, which templates here do not have");
    return std::pow(base, exponent);
  }
  Value result = std::int64_t{1};
  const std::int64_t factor = require_integer(left, "**");
  if (factor == 0 || factor == 1) return exponent == 0 ? std::int64_t{1} : factor;
  if (factor == -1) return require_integer(right, "**") % 2 == 0 ? std::int64_t{1} : factor;
  for (std::int64_t i = require_integer(right, "**"); i > 0; --i)
    result = integer_result("*", *result.as<std::int64_t>(), factor);
  return result;
}

Value arithmetic(std::string_view op, const Value& left, const Value& right) {
  if (op == "/") {
    const double divisor = require_number(right, op);
    if (divisor == 0) throw TemplateFault("ZeroDivisionError", "division by zero");
    return require_number(left, op) / divisor;
  }
  if (op == "//" || op == "%") return floor_division(op, left, right);
  if (op == "**") return power(left, right);
  if (is_integer(left) && is_integer(right)) {
    return integer_result(op, require_integer(left, op), require_integer(right, op));
  }
  const double a = require_number(left, op), b = require_number(right, op);
  return op == "+" ? a + b : op == "-" ? a - b : a * b;
}

Value repeat(const Value& value, std::int64_t count) {
  constexpr std::int64_t kMaxSize = 1 << 24;
  count = std::max<std::int64_t>(count, 0);
  if (static_cast<std::int64_t>(length(value)) * count > kMaxSize || count > kMaxSize) {
    throw TemplateFault("MemoryError", "a repetition beyond 16 million items");
  }
  if (const auto* text = value.as<Text>()) {
    Text result;
    for (std::int64_t i = 0; i < count; ++i) result.append(*text);
    return result;
  }
  List items;
  for (std::int64_t i = 0; i < count; ++i) {
    items.insert(items.end(), value.as_list()->begin(), value.as_list()->end());
  }
  return value.is_tuple() ? Value::tuple(std::move(items)) : Value::list(std::move(items));
}

Value add(const Value& left, const Value& right) {
  if (left.is_string() && right.is_string()) {
    Text result = *left.as<Text>();
    result.append(*right.as<Text>());
    return result;
  }
  if (left.as_list() && right.as_list() && left.is_tuple() == right.is_tuple()) {
    List items = *left.as_list();
    items.insert(items.end(), right.as_list()->begin(), right.as_list()->end());
    return left.is_tuple() ? Value::tuple(std::move(items)) : Value::list(std::move(items));
  }
  throw_operands("+", left, right);
}

bool is_sequence(const Value& value) { return value.is_string() || value.as_list() != nullptr; }

std::int64_t clamp_index(const Value& index, std::int64_t otherwise, std::int64_t low,
                         std::int64_t high, std::int64_t size) {
  if (index.is_undefined() || index.is_none()) return otherwise;
  std::int64_t value = require_integer(index, "a slice");
  if (value < 0) value += size;
  return std::clamp(value, low, high);
}

Value loop_attribute(const std::shared_ptr<Loop>& loop, const std::string& name) {
  const auto size = static_cast<std::int64_t>(loop->items->size());
  const auto index0 = static_cast<std::int64_t>(loop->index0);
  if (name == "index") return index0 + 1;
  if (name == "index0") return index0;
  if (name == "revindex") return size - index0;
  if (name == "revindex0") return size - index0 - 1;
  if (name == "first") return index0 == 0;
  if (name == "last") return index0 + 1 == size;
  if (name == "length") return size;
  // Depths count recursive loops, which the parser refuses.
  if (name == "depth0") return std::int64_t{0};
  if (name == "depth") return std::int64_t{1};
  if (name == "previtem") {
    return index0 > 0 ? (*loop->items)[index0 - 1] : Value::undefined("there is no previous item");
  }
  if (name == "nextitem") {
    return index0 + 1 < size ? (*loop->items)[index0 + 1]
                             : Value::undefined("there is no next item");
  }
  if (name == "cycle") {
    return Value::function(name, [index0](const Arguments& arguments) {
      if (arguments.positional.empty())
        throw TemplateFault("TypeError", "no items for cycling given");
      return arguments.positional[index0 % arguments.positional.size()];
    });
  }
  if (name == "changed") {
    return Value::function(name, [loop](const Arguments& arguments) -> Value {
      const List& now = arguments.positional;
      const bool same =
          loop->last_changed && equals(Value::list(*loop->last_changed), Value::list(now));
      loop->last_changed = now;
      return !same;
    });
  }
  return Value::undefined(fmt::format("'LoopContext object' has no attribute '{}'", name));
}

Value missing(const Value& object, std::string_view name) {
  return Value::undefined(
      fmt::format("'{} object' has no attribute '{}'", object.type_name(), name));
}

}  // namespace

Value apply_operator(std::string_view op, const Value& left, const Value& right) {
  if (op == "==") return equals(left, right);
  if (op == "!=") return !equals(left, right);
  if (op == "in") return contains(right, left);
  if (op == "not in") return !contains(right, left);
  if (op == "~") {
    Text result = to_text(left);
    return result.append(to_text(right));
  }
  if (op == "<") return compare(left, right) < 0;
  if (op == "<=") return compare(left, right) <= 0;
  if (op == ">") return compare(left, right) > 0;
  if (op == ">=") return compare(left, right) >= 0;
  require_defined(left);
  require_defined(right);
  if (left.is_number() && right.is_number()) return arithmetic(op, left, right);
  if (op == "+") return add(left, right);
  if (op == "%" && left.is_string()) return print_format(*left.as<Text>(), right);
  if (op == "*" && is_sequence(left) && is_integer(right)) {
    return repeat(left, require_integer(right, op));
  }
  if (op == "*" && is_integer(left) && is_sequence(right)) {
    return repeat(right, require_integer(left, op));
  }
  throw_operands(op, left, right);
}

Value get_attribute(const Value& object, const std::string& name) {
  require_defined(object);
  if (const auto* loop = object.as<std::shared_ptr<Loop>>()) return loop_attribute(*loop, name);
  if (const auto* space = object.as<std::shared_ptr<Namespace>>()) {
    const auto it = (*space)->attributes.find(name);
    return it == (*space)->attributes.end() ? missing(object, name) : it->second;
  }
  Value method = find_method(object, name);
  if (!method.is_undefined()) return method;
  if (const auto* dict = object.as_dict()) {
    if (const Value* value = find_key(*dict, Value(Text(name)))) return *value;
  }
  return missing(object, name);
}

Value get_item(const Value& object, const Value& key) {
  require_defined(object);
  if (const auto* dict = object.as_dict()) {
    if (const Value* value = find_key(*dict, key)) return *value;
  } else if (is_integer(key) && is_sequence(object)) {
    const auto size = static_cast<std::int64_t>(length(object));
    std::int64_t index = require_integer(key, "an index");
    if (index < 0) index += size;
    if (index < 0 || index >= size) return missing(object, to_text(key).str());
    if (const auto* list = object.as_list()) return (*list)[index];
    return iterate(object)[index];
  }
  if (const auto* name = key.as<Text>()) return get_attribute(object, std::string(name->str()));
  return missing(object, to_text(key).str());
}

Value get_slice(const Value& object, const Value& start, const Value& stop, const Value& step) {
  require_defined(object);
  if (!is_sequence(object)) return missing(object, "a slice");
  const List items = iterate(object);
  const auto size = static_cast<std::int64_t>(items.size());
  const bool has_step = !step.is_undefined() && !step.is_none();
  const std::int64_t by = has_step ? require_integer(step, "a slice") : 1;
  if (by == 0) throw TemplateFault("ValueError", "slice step cannot be zero");
  const std::int64_t low = by > 0 ? 0 : -1, high = by > 0 ? size : size - 1;
  const std::int64_t first = clamp_index(start, by > 0 ? low : high, low, high, size);
  const std::int64_t last = clamp_index(stop, by > 0 ? high : low, low, high, size);
  List picked;
  for (std::int64_t i = first; by > 0 ? i < last : i > last; i += by) picked.push_back(items[i]);
  if (object.is_tuple()) return Value::tuple(std::move(picked));
  if (!object.is_string()) return Value::list(std::move(picked));
  Text text;
  for (const Value& item : picked) text.append(*item.as<Text>());
  return text;
}

}  // namespace hone::tokenizer::jinja
