#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tokenizer/jinja/text.h"

namespace hone::tokenizer::jinja {

/// A fault that Python's Jinja would raise too. The message begins with the name it has there:
/// UndefinedError, TypeError, ValueError, TemplateError (raise_exception), …
class TemplateFault : public std::runtime_error {
 public:
  TemplateFault(const std::string& kind, const std::string& message)
      : std::runtime_error(kind + ": " + message), kind_(kind) {}
  const std::string& kind() const { return kind_; }

 private:
  std::string kind_;
};

class Value;
using List = std::vector<Value>;
using Dict = std::vector<std::pair<Value, Value>>;  // in order of insertion

/// The position of a parameter that can only be given by name.
inline constexpr std::size_t kNamedOnly = ~std::size_t{0};

/// What a call is given: positional arguments, then those by name.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;

  /// The argument at `position` or called `name`; undefined where there is none.
  Value get(std::size_t position, std::string_view name) const;
  bool has(std::size_t position, std::string_view name) const;
};

struct Undefined {
  std::string reason;  // "'x' is undefined", for messages
};
struct None {};

struct Function {
  std::string name;
  std::function<Value(const Arguments&)> call;
};

/// Objects whose attributes a template may set.
struct Namespace {
  std::map<std::string, Value> attributes;
};

/// What `loop` is inside a for.
struct Loop;

/// A generator is what map, select and their kin give: it can be iterated and nothing else, and
/// counts as true even where it is empty.
enum class ListKind { kList, kTuple, kGenerator };

/// A value of the template language. Lists, dicts and functions are shared and never change, as in
/// the immutable sandbox in which transformers renders. A value from the input remembers which one
/// it is (`origin`), so that its digits or braces can be traced as well as a string's letters.
class Value {
 public:
  using Storage =
      std::variant<Undefined, None, bool, std::int64_t, double, Text, std::shared_ptr<const List>,
                   std::shared_ptr<const Dict>, std::shared_ptr<const Function>,
                   std::shared_ptr<Namespace>, std::shared_ptr<Loop>>;

  // Defined out of line: copying and moving a variant is too much code to repeat at every use.
  Value();
  Value(const Value&);
  Value(Value&&) noexcept;
  Value& operator=(const Value&);
  Value& operator=(Value&&) noexcept;
  ~Value();
  Value(Storage storage, Origin origin = kTemplateOrigin)
      : storage_(std::move(storage)), origin_(origin) {}
  Value(Text text) : storage_(std::move(text)) {}
  Value(const char* text) : storage_(Text(text)) {}
  Value(bool value) : storage_(value) {}
  Value(std::int64_t value) : storage_(value) {}
  Value(double value) : storage_(value) {}
  static Value none() { return Value(None{}); }
  static Value undefined(std::string reason) { return Value(Undefined{std::move(reason)}); }
  static Value list(List items, ListKind kind = ListKind::kList, Origin origin = kTemplateOrigin);
  static Value tuple(List items);
  static Value generator(List items);
  static Value dict(Dict items, Origin origin = kTemplateOrigin);
  static Value function(std::string name, std::function<Value(const Arguments&)> call);

  template <class T>
  const T* as() const {
    return std::get_if<T>(&storage_);
  }
  bool is_undefined() const { return as<Undefined>() != nullptr; }
  bool is_none() const { return as<None>() != nullptr; }
  bool is_string() const { return as<Text>() != nullptr; }
  bool is_number() const { return as<std::int64_t>() || as<double>() || as<bool>(); }
  bool is_tuple() const { return list_kind_ == ListKind::kTuple; }
  bool is_generator() const { return list_kind_ == ListKind::kGenerator; }
  /// A list or a tuple.
  const List* as_list() const;
  const Dict* as_dict() const;
  Origin origin() const { return origin_; }

  /// The name of the type in Python, for messages and tests.
  const char* type_name() const;

 private:
  Storage storage_ = Undefined{};
  Origin origin_ = kTemplateOrigin;
  ListKind list_kind_ = ListKind::kList;
};

struct Loop {
  std::shared_ptr<const List> items;
  std::size_t index0 = 0;
  std::optional<List> last_changed = {};  // what loop.changed() was given last
};

/// Python's truth of a value.
bool truth(const Value& value);
bool equals(const Value& a, const Value& b);
/// Python's order. @throws TemplateFault TypeError for types that have none between them
int compare(const Value& a, const Value& b);
bool contains(const Value& container, const Value& item);

/// str(value) as Python prints it; a string itself keeps its origins, anything else its own origin.
Text to_text(const Value& value);
/// repr(value).
Text to_repr(const Value& value);
/// repr of a float: the shortest digits that read back as the same number.
std::string float_repr(double value);

/// The items that a for loop or filter sees. @throws TemplateFault TypeError where there are none
List iterate(const Value& value);
std::size_t length(const Value& value);

/// The integer or string that an operation needs.
/// @throws TemplateFault UndefinedError or TypeError that names `use`
std::int64_t require_integer(const Value& value, std::string_view use);
double require_number(const Value& value, std::string_view use);
const Text& require_text(const Value& value, std::string_view use);
/// @throws TemplateFault UndefinedError where the value is undefined
void require_defined(const Value& value);

const Value* find_key(const Dict& dict, const Value& key);

}  // namespace hone::tokenizer::jinja
