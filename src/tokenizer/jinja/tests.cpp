#include <fmt/format.h>

#include <unordered_map>

#include "tokenizer/jinja/operators.h"

namespace hone::tokenizer::jinja {
namespace {

using Test = bool (*)(const Value&, const Arguments&);

std::int64_t remainder(const Value& value, std::int64_t by) {
  return require_integer(apply_operator("%", value, by), "a test");
}

bool is_case(const Value& value, const char* method) {
  return truth(find_method(Value(to_text(value)), method)
                   .as<std::shared_ptr<const Function>>()
                   ->get()
                   ->call({}));
}

bool compares(const char* op, const Value& value, const Arguments& arguments) {
  return truth(apply_operator(op, value, arguments.get(0, "other")));
}

bool is_same(const Value& value, const Arguments& arguments) {
  const Value other = arguments.get(0, "other");
  return std::string_view(value.type_name()) == other.type_name() && equals(value, other);
}

bool is_sequence(const Value& value) {
  return value.is_string() || value.as_list() || value.as_dict() || value.is_undefined();
}

bool has_test(const std::string& name);

const std::unordered_map<std::string, Test>& tests() {
  using A = const Arguments&;
  using V = const Value&;
  static const std::unordered_map<std::string, Test> table{
      {"defined", [](V v, A) { return !v.is_undefined(); }},
      {"undefined", [](V v, A) { return v.is_undefined(); }},
      {"none", [](V v, A) { return v.is_none(); }},
      {"boolean", [](V v, A) { return v.as<bool>() != nullptr; }},
      {"true", [](V v, A) { return v.as<bool>() && *v.as<bool>(); }},
      {"false", [](V v, A) { return v.as<bool>() && !*v.as<bool>(); }},
      {"integer", [](V v, A) { return v.as<std::int64_t>() != nullptr; }},
      {"float", [](V v, A) { return v.as<double>() != nullptr; }},
      {"number", [](V v, A) { return v.is_number(); }},
      {"string", [](V v, A) { return v.is_string(); }},
      {"mapping", [](V v, A) { return v.as_dict() != nullptr; }},
      {"sequence", [](V v, A) { return is_sequence(v); }},
      {"iterable", [](V v, A) { return is_sequence(v) || v.is_generator(); }},
      {"callable", [](V v, A) { return v.as<std::shared_ptr<const Function>>() != nullptr; }},
      {"filter", [](V v, A) { return has_filter(std::string(require_text(v, "filter").str())); }},
      {"test", [](V v, A) { return has_test(std::string(require_text(v, "test").str())); }},
      {"escaped", [](V, A) { return false; }},
      {"odd", [](V v, A) { return remainder(v, 2) == 1; }},
      {"even", [](V v, A) { return remainder(v, 2) == 0; }},
      {"divisibleby",
       [](V v, A a) { return remainder(v, require_integer(a.get(0, "num"), "divisibleby")) == 0; }},
      {"lower", [](V v, A) { return is_case(v, "islower"); }},
      {"upper", [](V v, A) { return is_case(v, "isupper"); }},
      {"sameas", is_same},
      {"in", [](V v, A a) { return contains(a.get(0, "seq"), v); }},
      {"eq", [](V v, A a) { return compares("==", v, a); }},
      {"equalto", [](V v, A a) { return compares("==", v, a); }},
      {"ne", [](V v, A a) { return compares("!=", v, a); }},
      {"lt", [](V v, A a) { return compares("<", v, a); }},
      {"lessthan", [](V v, A a) { return compares("<", v, a); }},
      {"le", [](V v, A a) { return compares("<=", v, a); }},
      {"gt", [](V v, A a) { return compares(">", v, a); }},
      {"greaterthan", [](V v, A a) { return compares(">", v, a); }},
      {"ge", [](V v, A a) { return compares(">=", v, a); }},
      {"==", [](V v, A a) { return compares("==", v, a); }},
      {"!=", [](V v, A a) { return compares("!=", v, a); }},
  };
  return table;
}

bool has_test(const std::string& name) { return tests().count(name) > 0; }

}  // namespace

bool apply_test(const std::string& name, const Value& value, const Arguments& arguments) {
  const auto it = tests().find(name);
  if (it == tests().end()) {
    throw TemplateFault("TemplateRuntimeError", fmt::format("No test named '{}' found.", name));
  }
  return it->second(value, arguments);
}

}  // namespace hone::tokenizer::jinja
