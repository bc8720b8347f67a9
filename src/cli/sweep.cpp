#include "cli/sweep.h"

#include <fmt/format.h>

#include <cctype>
#include <set>
#include <string_view>

#include "base/error.h"

namespace hone::cli {
namespace {

constexpr std::size_t kMaxRuns = 1000;  // SLURM's own usual limit
constexpr std::size_t kMaxName = 120;

struct Axis {
  std::string key;
  std::vector<std::string> values;
};

/// Cuts at the commas outside of brackets, braces and quotes.
std::vector<std::string> split_values(std::string_view text) {
  std::vector<std::string> values(1);
  int depth = 0;
  char quote = 0;
  for (const char c : text) {
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if (c == ']' || c == '}') {
      --depth;
    } else if (c == ',' && depth == 0) {
      values.emplace_back();
      continue;
    }
    values.back() += c;
  }
  return values;
}

Axis read_axis(const std::string& text) {
  const std::size_t equals = text.find('=');
  HONE_CHECK(ConfigError, equals != std::string::npos && equals > 0,
             "--array {}: expected a.b=v1,v2,…: a key of the config and its values", text);
  Axis axis{text.substr(0, equals), split_values(std::string_view(text).substr(equals + 1))};
  HONE_CHECK(
      ConfigError, axis.key != "train.output_dir",
      "--array {}: each run of a sweep gets a train.output_dir of its own, below the config's",
      text);
  std::set<std::string> distinct;
  for (const std::string& value : axis.values) {
    HONE_CHECK(ConfigError, !value.empty(), "--array {}: a value is empty", text);
    HONE_CHECK(ConfigError, distinct.insert(value).second, "--array {}: {} stands there twice",
               text, value);
  }
  return axis;
}

/// Its number makes it unlike all others, whatever the rest is shortened to.
std::string name_of(std::size_t number, const std::vector<std::string>& overrides) {
  std::string name = fmt::format("{:03}", number);
  for (const std::string& override : overrides) {
    name += '_';
    for (const char c : override) {
      const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                            std::string_view("._=+-").find(c) != std::string_view::npos;
      name += is_plain ? c : '-';
    }
  }
  return name.substr(0, kMaxName);
}

}  // namespace

std::vector<SweepRun> expand_sweep(const std::vector<std::string>& axes) {
  std::vector<SweepRun> runs(1);
  std::set<std::string> keys;
  for (const std::string& text : axes) {
    const Axis axis = read_axis(text);
    HONE_CHECK(ConfigError, keys.insert(axis.key).second, "--array: {} is given twice", axis.key);
    std::vector<SweepRun> longer;
    HONE_CHECK(ConfigError, runs.size() * axis.values.size() <= kMaxRuns,
               "--array: more than {} runs; split the sweep", kMaxRuns);
    for (const SweepRun& run : runs)
      for (const std::string& value : axis.values) {
        longer.push_back(run);
        longer.back().overrides.push_back(axis.key + "=" + value);
      }
    runs = std::move(longer);
  }
  for (std::size_t i = 0; i < runs.size(); ++i) runs[i].name = name_of(i, runs[i].overrides);
  return runs;
}

}  // namespace hone::cli
