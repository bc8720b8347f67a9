#include <fmt/format.h>

#include <unordered_map>
#include <utility>

#include "tokenizer/jinja/operators.h"

namespace hone::tokenizer::jinja {
namespace {

Value make_range(const Arguments& arguments) {
  constexpr std::int64_t kMaxRange = 100'000;  // the sandbox of Python's Jinja has the same
  const std::size_t count = arguments.positional.size();
  if (count < 1 || count > 3) throw TemplateFault("TypeError", "range takes 1 to 3 arguments");
  const auto argument = [&](std::size_t i) {
    return require_integer(arguments.positional[i], "range");
  };
  const std::int64_t start = count == 1 ? 0 : argument(0), stop = argument(count == 1 ? 0 : 1);
  const std::int64_t step = count == 3 ? argument(2) : 1;
  if (step == 0) throw TemplateFault("ValueError", "range() arg 3 must not be zero");
  List items;
  for (std::int64_t i = start; step > 0 ? i < stop : i > stop; i += step) {
    items.push_back(i);
    if (static_cast<std::int64_t>(items.size()) > kMaxRange) {
      throw TemplateFault("OverflowError",
                          fmt::format("range too big, the limit is {}", kMaxRange));
    }
  }
  return Value::list(std::move(items));
}

Value make_dict(const Arguments& arguments) {
  Dict items;
  if (!arguments.positional.empty()) {
    const Value& source = arguments.positional[0];
    if (const auto* dict = source.as_dict()) {
      items = *dict;
    } else {
      for (const Value& pair : iterate(source))
        items.emplace_back(iterate(pair).at(0), iterate(pair).at(1));
    }
  }
  for (const auto& [name, value] : arguments.named) items.emplace_back(Text(name), value);
  return Value::dict(std::move(items));
}

Value make_namespace(const Arguments& arguments) {
  auto space = std::make_shared<Namespace>();
  for (const Value& source : arguments.positional) {
    const Dict* dict = source.as_dict();
    if (!dict) throw TemplateFault("TypeError", "namespace() takes a dict");
    for (const auto& [key, value] : *dict) {
      space->attributes[std::string(require_text(key, "namespace").str())] = value;
    }
  }
  for (const auto& [name, value] : arguments.named) space->attributes[name] = value;
  return Value(std::move(space));
}

/// A function that gives nothing the first time, and then the separator.
Value make_joiner(const Arguments& arguments) {
  const Value separator = arguments.has(0, "sep") ? arguments.get(0, "sep") : Value(", ");
  return Value::function(
      "joiner", [separator, used = std::make_shared<bool>(false)](const Arguments&) -> Value {
        if (std::exchange(*used, true)) return separator;
        return Text();
      });
}

Value raise_exception(const Arguments& arguments) {
  throw TemplateFault("TemplateError", std::string(to_text(arguments.get(0, "message")).str()));
}

}  // namespace

const Value* find_global(const std::string& name) {
  static const std::unordered_map<std::string, Value> globals{
      {"range", Value::function("range", make_range)},
      {"dict", Value::function("dict", make_dict)},
      {"namespace", Value::function("namespace", make_namespace)},
      {"joiner", Value::function("joiner", make_joiner)},
      {"raise_exception", Value::function("raise_exception", raise_exception)},
  };
  const auto it = globals.find(name);
  return it == globals.end() ? nullptr : &it->second;
}

}  // namespace hone::tokenizer::jinja
