#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "config/table.h"

namespace hone::config {

/// A config that was read: every option has its value.
template <class Options>
struct Loaded {
  Options options;
  Given given;  ///< the keys that the file or the command line set, and where
};

/// Values by field of a schema, before they are in a struct.
struct Resolution {
  std::string source;
  std::vector<Value> values;  ///< values[i] belongs to schema.fields[i]
  Given given;
  std::vector<Problem> problems;
  bool is_mapping = true;  ///< false: the text is no YAML mapping, and nothing is known of its keys
};

/// Default, then `text`, then each of `overrides` ("optim.learning_rate=1e-4"; the last one of a
/// key wins). The text of an override is read as YAML.
/// @param source what messages call the text
Resolution resolve(const Schema& schema, std::string_view text, std::string source,
                   const std::vector<std::string>& overrides);

/// Those of the given keys whose value is not the default.
Given changed_keys(const Schema& schema, const Resolution& resolved);

/// True where one of the problems is with `section` or something in it.
bool has_problem_in(const std::vector<Problem>& problems, std::string_view section);

/// The text of a config file, cut behind what parse_yaml would refuse for its length.
/// @throws ConfigError where there is none or it cannot be read
std::string read_config_file(const std::filesystem::path& path);

/// All values as a YAML document, in the order of the schema.
std::string dump(const Schema& schema, const std::vector<Value>& values);

/// A struct with the default of every option; a required one is empty or zero.
template <class Options>
Options defaults() {
  const Table<Options>& table = Options::table();
  Options options{};
  for (std::size_t i = 0; i < table.access().size(); ++i)
    table.access()[i].set(options, table.schema().fields[i].default_value);
  return options;
}

/// Reads a config from its text. See load().
template <class Options>
Loaded<Options> parse(std::string_view text, const std::string& source,
                      const std::vector<std::string>& overrides = {}) {
  const Table<Options>& table = Options::table();
  Resolution resolved = resolve(table.schema(), text, source, overrides);
  if (!resolved.is_mapping) refuse_if_any(std::move(resolved.problems));
  Options options{};
  for (std::size_t i = 0; i < table.access().size(); ++i)
    table.access()[i].set(options, resolved.values[i]);
  // A check sees only options that are right by themselves: no message follows from another one.
  const std::vector<Problem> of_fields = resolved.problems;
  const Given changed = changed_keys(table.schema(), resolved);
  Problems problems(resolved.problems, resolved.given, changed, source);
  for (const Check<Options>& check : table.checks())
    if (!has_problem_in(of_fields, check.section)) check.run(options, problems);
  refuse_if_any(std::move(resolved.problems));
  return {std::move(options), std::move(resolved.given)};
}

/// Reads a config file.
/// @param overrides "key.sub=value", each over what the file says
/// @throws ConfigError with all that is wrong, one line each: file:line: key: what is wrong, what
///         was expected, what was found, the nearest known key
template <class Options>
Loaded<Options> load(const std::filesystem::path& path,
                     const std::vector<std::string>& overrides = {}) {
  return parse<Options>(read_config_file(path), path.string(), overrides);
}

/// The resolved config: a document that load() reads as the same options, to the last bit.
template <class Options>
std::string dump(const Options& options) {
  std::vector<Value> values;
  for (const Access<Options>& access : Options::table().access())
    values.push_back(access.get(options));
  return dump(Options::table().schema(), values);
}

}  // namespace hone::config
