#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "config/yaml.h"

namespace hone::config {

struct Record;
struct Schema;

/// Every type that an option can have; std::monostate stands for null.
using Value =
    std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<std::string>,
                 std::vector<double>, std::map<std::string, double>, std::vector<Record>,
                 std::map<std::string, std::string>>;

/// One mapping in a list of them: every option of its table, in the table's order.
struct Record {
  std::vector<std::pair<std::string, Value>> values;
  bool operator==(const Record&) const = default;
};

/// The alternatives of Value, in its order.
enum class Type {
  kNull,
  kBool,
  kInteger,
  kNumber,
  kString,
  kStrings,
  kNumbers,
  kNumberMap,
  kRecords,
  kStringMap
};

/// Bounds of a number, or of each number of a list or map.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false, high_open = false;  ///< the bound itself is outside
};

/// One option as data: everything but the place of its value in a struct.
struct Field {
  std::string key;  ///< dotted path from the table's root
  std::string help, unit;
  Type type = Type::kNull;
  bool nullable = false;        ///< null is a value: the struct holds a std::optional
  bool required = false;        ///< there is no default
  bool scalar_or_list = false;  ///< `key: a` means `key: [a]`
  bool existing_path = false;   ///< each text must name a file or folder that exists
  bool path_pattern = false;    ///< or, as a shell pattern, match a file
  std::vector<std::string> choices;
  Range range;
  std::shared_ptr<const Schema> item;  ///< kRecords: what each mapping of the list may hold
  Value default_value;
};

/// "a number from 0 to 1", "one of adamw, sgd, or null": what may stand as the field's value.
std::string expected(const Field& field);

/// The value of `node` where it is one that `field` can have.
/// @pre the field's type is not kRecords, whose parts are fields of their own: resolve() reads it
/// @throws BadValue otherwise
Value read_value(const Node& node, const Field& field);

struct BadValue {
  int line;          ///< as Node has it
  std::string what;  ///< "expected ..., got ..."
};

/// What keeps `value` from being one of `field`'s: type, choices or range. Empty: nothing.
std::string violation(const Value& value, const Field& field);

/// One line of YAML that reads as `value` again, to the last bit; non-finite numbers excepted.
std::string to_yaml(const Value& value);

}  // namespace hone::config
