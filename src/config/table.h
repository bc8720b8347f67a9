#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "config/problems.h"
#include "config/schema.h"

/// An option struct and the one declaration of each of its options.
///
///     struct OptimOptions {                                       // optim/options.h
///       std::string name;
///       double learning_rate;
///       static const config::Table<OptimOptions>& table();
///     };
///     const config::Table<OptimOptions>& OptimOptions::table() {  // optim/options.cpp
///       using namespace config;
///       static const Table<OptimOptions> table("optim", "How trained parameters are updated.", {
///           field("name", &OptimOptions::name, "adamw", choices({"adamw", "sgd"}), "Optimizer."),
///           field("learning_rate", &OptimOptions::learning_rate, 2e-4, above(0), at_most(1),
///                 "Learning rate after warm-up."),
///       });
///       return table;
///     }
///
/// The struct has no initialisers: defaults<OptimOptions>() of config/load.h makes one. A struct of
/// such structs composes their tables: section(&RunOptions::optim). One that holds a list of them
/// takes their table for each item: records("sources", &DataOptions::sources, "help").
namespace hone::config {

/// How a field's value is read from and put into its struct.
template <class Options>
struct Access {
  std::function<Value(const Options&)> get;
  std::function<void(Options&, const Value&)> set;
};

template <class Options>
struct Check {
  std::string section;
  std::function<void(const Options&, Problems&)> run;
};

/// One or several declarations: what field(), section() and check() give to a table.
template <class Options>
struct Part {
  Schema schema;
  std::vector<Access<Options>> access;  ///< access[i] reaches schema.fields[i]
  std::vector<Check<Options>> checks;
};

template <class Options>
class Table {
 public:
  Table(std::string key, std::string help, std::initializer_list<Part<Options>> parts)
      : key_(std::move(key)) {
    all_.schema.sections.push_back({"", std::move(help)});
    for (const Part<Options>& part : parts) {
      append(all_.schema, part.schema);
      all_.access.insert(all_.access.end(), part.access.begin(), part.access.end());
      all_.checks.insert(all_.checks.end(), part.checks.begin(), part.checks.end());
    }
    assert_sound(all_.schema);
  }

  /// The section's name where another table takes it in.
  const std::string& key() const { return key_; }
  const Schema& schema() const { return all_.schema; }
  const std::vector<Access<Options>>& access() const { return all_.access; }
  const std::vector<Check<Options>>& checks() const { return all_.checks; }

 private:
  std::string key_;
  Part<Options> all_;
};

namespace detail {

template <class T>
struct Stored {
  using Type = T;
  static constexpr bool kNullable = false;
};
template <class T>
struct Stored<std::optional<T>> {
  using Type = T;
  static constexpr bool kNullable = true;
};

template <class T>
Value to_value(const T& x) {
  if constexpr (Stored<T>::kNullable) {
    return x ? to_value(*x) : Value();
  } else {
    return Value(std::in_place_type<T>, x);
  }
}

template <class T>
T from_value(const Value& value) {
  if constexpr (Stored<T>::kNullable) {
    if (std::holds_alternative<std::monostate>(value)) return std::nullopt;
  }
  return std::get<typename Stored<T>::Type>(value);
}

/// Where T stands among the alternatives of Value.
template <class T, class... Alternatives>
constexpr Type type_of(std::type_identity<std::variant<Alternatives...>>) {
  static_assert((std::is_same_v<T, Alternatives> || ...),
                "an option is one of the alternatives of Value, or a std::optional of one");
  int index = 0;
  (void)((std::is_same_v<T, Alternatives> || (++index, false)) || ...);
  return static_cast<Type>(index);
}

template <class Options, class T, class... Attributes>
Part<Options> make_field(std::string key, T Options::*member, const T& value, bool required,
                         const Attributes&... attributes) {
  Part<Options> part;
  Field& field = part.schema.fields.emplace_back();
  field.key = std::move(key);
  field.type = type_of<typename Stored<T>::Type>(std::type_identity<Value>());
  field.nullable = Stored<T>::kNullable;
  field.required = required;
  field.default_value = to_value(value);
  (apply(field, attributes), ...);
  part.access.push_back(
      {[member](const Options& options) { return to_value(options.*member); },
       [member](Options& options, const Value& x) { options.*member = from_value<T>(x); }});
  return part;
}

template <class Options>
Record to_record(const Table<Options>& table, const Options& options) {
  Record record;
  for (std::size_t i = 0; i < table.access().size(); ++i)
    record.values.emplace_back(table.schema().fields[i].key, table.access()[i].get(options));
  return record;
}

template <class Options>
Options from_record(const Table<Options>& table, const Record& record) {
  Options options{};
  for (std::size_t i = 0; i < table.access().size(); ++i)
    table.access()[i].set(options, record.values[i].second);
  return options;
}

}  // namespace detail

/// One option. T is an alternative of Value or a std::optional of one.
/// @param attributes the help text, and any of choices, unit, range ..., kScalarOrList
template <class Options, class T, class... Attributes>
Part<Options> field(std::string key, T Options::*member, const std::type_identity_t<T>& value,
                    const Attributes&... attributes) {
  return detail::make_field(std::move(key), member, value, false, attributes...);
}

template <class Options, class T, class... Attributes>
Part<Options> field(std::string key, T Options::*member, Required,
                    const Attributes&... attributes) {
  return detail::make_field(std::move(key), member, T{}, true, attributes...);
}

/// Everything of the table of `Inner`, under that table's key.
template <class Outer, class Inner>
Part<Outer> section(Inner Outer::*member) {
  const Table<Inner>& inner = Inner::table();
  Part<Outer> part;
  append(part.schema, inner.schema(), inner.key());
  for (const Access<Inner>& access : inner.access()) {
    part.access.push_back(
        {[member, get = access.get](const Outer& outer) { return get(outer.*member); },
         [member, set = access.set](Outer& outer, const Value& x) { set(outer.*member, x); }});
  }
  for (const Check<Inner>& check : inner.checks()) {
    part.checks.push_back(
        {join_path(inner.key(), check.section),
         [member, run = check.run, key = inner.key()](const Outer& outer, Problems& problems) {
           Problems within = problems.within(key);
           run(outer.*member, within);
         }});
  }
  return part;
}

/// A list of mappings, each of them an Inner as Inner's own table has it; empty where nothing is
/// given.
template <class Outer, class Inner>
Part<Outer> records(std::string key, std::vector<Inner> Outer::*member, std::string_view help) {
  const Table<Inner>& inner = Inner::table();
  Part<Outer> part;
  Field& declared = part.schema.fields.emplace_back();
  declared.key = key;
  declared.help = help;
  declared.type = Type::kRecords;
  declared.item = std::make_shared<const Schema>(inner.schema());
  declared.default_value = std::vector<Record>();
  part.access.push_back({[member, &inner](const Outer& outer) {
                           std::vector<Record> list;
                           for (const Inner& item : outer.*member)
                             list.push_back(detail::to_record(inner, item));
                           return Value(std::move(list));
                         },
                         [member, &inner](Outer& outer, const Value& value) {
                           (outer.*member).clear();
                           for (const Record& record : std::get<std::vector<Record>>(value))
                             (outer.*member).push_back(detail::from_record(inner, record));
                         }});
  for (const Check<Inner>& check : inner.checks()) {
    part.checks.push_back({join_path(key, check.section),
                           [member, run = check.run, key](const Outer& outer, Problems& problems) {
                             for (std::size_t i = 0; i < (outer.*member).size(); ++i) {
                               Problems within = problems.within(item_path(key, i));
                               run((outer.*member)[i], within);
                             }
                           }});
  }
  return part;
}

/// A condition on several options, checked once each of them is right by itself.
/// @param rule what holds, as a sentence: "warmup_steps and warmup_ratio are not both set."
/// @param run reports through its second argument where the rule does not hold
template <class Options>
Part<Options> check(std::string rule, std::function<void(const Options&, Problems&)> run) {
  Part<Options> part;
  part.schema.rules.push_back({"", std::move(rule)});
  part.checks.push_back({"", std::move(run)});
  return part;
}

}  // namespace hone::config
