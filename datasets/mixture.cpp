#include "datasets/mixture.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "datasets/options.h"
#include "datasets/row_format.h"

namespace hone::datasets {
namespace {

using namespace config;

struct Strategy {
  const char* name;
  Mixing mixing;
};
constexpr Strategy kStrategies[] = {{"concat", Mixing::kConcat},
                                    {"first_exhausted", Mixing::kFirstExhausted},
                                    {"all_exhausted", Mixing::kAllExhausted}};

Mixing mixing_named(const std::string& name) {
  for (const Strategy& strategy : kStrategies)
    if (name == strategy.name) return strategy.mixing;
  throw InternalError(fmt::format("there is no mix_strategy {}", name));
}

/// What a stage says, or where it says nothing what the data section does.
Mixing mixing_of(const StageOptions& stage, const DataOptions& options) {
  return mixing_named(stage.mix_strategy.empty() ? options.mix_strategy : stage.mix_strategy);
}

std::vector<std::string> names_of(const std::vector<SourceOptions>& sources) {
  std::vector<std::string> names;
  for (const SourceOptions& source : sources) names.push_back(source.name);
  return names;
}

void check_name(const std::string& name, const std::vector<std::string>& known,
                const std::string& key, Problems& problems) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  problems.add(key, fmt::format("there is no source {}{}; there are {}", name,
                                did_you_mean(name, known), fmt::join(known, ", ")));
}

/// The weights that a stage draws by, the temperature not yet taken into account.
double weight_of(const SourceOptions& source, const StageOptions& stage, std::int64_t rows) {
  if (const auto own = stage.weights.find(source.name); own != stage.weights.end())
    return own->second;
  return source.weight.value_or(static_cast<double>(rows));
}

Stage stage_of(const StageOptions& stage, const DataOptions& options,
               const std::vector<std::int64_t>& sizes) {
  Stage result{.sources = {}, .mixing = mixing_of(stage, options), .passes = stage.epochs};
  std::int64_t begin = 0;
  for (std::size_t s = 0; s < options.sources.size(); ++s) {
    const SourceOptions& source = options.sources[s];
    const std::vector<std::string>& wanted = stage.sources;
    const bool is_wanted =
        wanted.empty() || std::find(wanted.begin(), wanted.end(), source.name) != wanted.end();
    if (is_wanted) {
      const std::int64_t rows = std::min(sizes[s], source.max_rows.value_or(sizes[s]));
      result.sources.push_back(
          {.name = source.name,
           .begin = begin,
           .size = sizes[s],
           .weight = std::pow(weight_of(source, stage, rows), 1 / options.mix_temperature),
           .max_rows = source.max_rows.value_or(0)});
    }
    begin += sizes[s];
  }
  return result;
}

std::vector<std::string> format_choices() {
  std::vector<std::string> names{"", "auto"};
  for (const RowFormat& format : row_formats()) names.emplace_back(format.name);
  return names;
}

/// All sources, once: what an epoch is where no stages are given.
StageOptions whole() { return {.sources = {}, .mix_strategy = "", .weights = {}, .epochs = 1}; }

}  // namespace

const config::Table<SourceOptions>& SourceOptions::table() {
  using O = SourceOptions;
  static const config::Table<O> table(
      "source", "Files that rows are drawn from together.",
      {
          field("name", &O::name, kRequired, "What stages and messages call it."),
          field("files", &O::files, kRequired, kScalarOrList, kExistingFiles,
                "Files, folders or patterns, as in data.train."),
          field("weight", &O::weight, std::nullopt, above(0),
                "How often it is drawn beside the others, where they are mixed by weight; null: as "
                "many rows as it has."),
          field("max_rows", &O::max_rows, std::nullopt, at_least(1), unit("rows"),
                "No more rows than these, drawn at random once; null: all."),
          field("format", &O::format, "", choices(format_choices()),
                "As data.format, for these files; empty: data.format."),
          field("columns", &O::columns, {}, "As data.columns, for these files; {}: data.columns."),
          field("license", &O::license, "", "As data.license, of these files."),
      });
  return table;
}

const config::Table<StageOptions>& StageOptions::table() {
  using O = StageOptions;
  static const config::Table<O> table(
      "stage", "A stretch of the run with a mixture of its own.",
      {
          field("sources", &O::sources, {}, kScalarOrList, "Names of its sources; []: all."),
          field("mix_strategy", &O::mix_strategy, "",
                choices({"", "concat", "first_exhausted", "all_exhausted"}),
                "As data.mix_strategy, for this stage; empty: data.mix_strategy."),
          field("weights", &O::weights, {}, above(0),
                "Weights by source that hold in this stage, in place of the sources' own."),
          field("epochs", &O::epochs, 1.0, above(0), unit("epochs"),
                "How often the stage's mixture is gone through."),
      });
  return table;
}

void check_mixture(const DataOptions& options, config::Problems& problems) {
  if (options.train.empty() == options.sources.empty())
    problems.add("train", options.train.empty()
                              ? "has to be set, or sources has: there is nothing to train on"
                              : "sources is set as well; keep one of them");
  const std::vector<std::string> names = names_of(options.sources);
  std::set<std::string> seen;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (!seen.insert(names[i]).second)
      problems.add(fmt::format("{}.name", item_path("sources", i)),
                   fmt::format("a source before is called {} as well", names[i]));
  if (options.sources.empty() && !options.stages.empty())
    problems.add("stages", "stages are made of sources; name the files in sources, not in train");
  if (!options.sources.empty() && !options.license.empty())
    problems.add("license", "is that of data.train; each of sources has a license of its own");
  bool draws = options.stages.empty() && mixing_named(options.mix_strategy) != Mixing::kConcat;
  for (std::size_t i = 0; i < options.stages.size(); ++i) {
    const StageOptions& stage = options.stages[i];
    const std::string key = item_path("stages", i);
    for (const std::string& name : stage.sources)
      check_name(name, names, key + ".sources", problems);
    for (const auto& [name, weight] : stage.weights)
      check_name(name, names, key + ".weights", problems);
    const bool stage_draws = mixing_of(stage, options) != Mixing::kConcat;
    if (!stage_draws && !stage.weights.empty())
      problems.add(key + ".weights",
                   "concat takes every row once, whatever the weights; choose "
                   "first_exhausted or all_exhausted");
    draws = draws || stage_draws;
  }
  for (std::size_t i = 0; i < options.sources.size(); ++i) {
    const DataOptions of_source = options_of(options.sources[i], options);
    const std::string wrong = wrong_columns(of_source.columns, of_source.format);
    if (!wrong.empty()) problems.add(item_path("sources", i) + ".columns", wrong);
  }
  for (std::size_t i = 0; i < options.sources.size() && !draws; ++i)
    if (options.sources[i].weight)
      problems.add(fmt::format("{}.weight", item_path("sources", i)),
                   "concat takes every row once, whatever the weight; set mix_strategy to "
                   "first_exhausted or all_exhausted");
}

DataOptions options_of(const SourceOptions& source, const DataOptions& options) {
  DataOptions result = options;
  if (!source.format.empty()) result.format = source.format;
  if (!source.columns.empty()) result.columns = source.columns;
  return result;
}

std::string mixture_text(const DataOptions& options) {
  if (options.sources.empty()) return {};
  // What the rows are is told by their hash, wherever the files lie.
  DataOptions without_files = options;
  for (SourceOptions& source : without_files.sources) {
    source.files.clear();
    source.format.clear();
    source.columns.clear();
    source.license.clear();
  }
  const config::Table<DataOptions>& table = DataOptions::table();
  std::string text;
  for (std::size_t i = 0; i < table.access().size(); ++i) {
    const std::string& key = table.schema().fields[i].key;
    if (key == "sources" || key == "stages" || key.starts_with("mix_"))
      text += fmt::format("{}: {}\n", key, to_yaml(table.access()[i].get(without_files)));
  }
  return text;
}

std::vector<Stage> stages_of(const DataOptions& options, const std::vector<std::int64_t>& sizes) {
  if (options.sources.empty())
    return {{.sources = {{.name = "data.train", .begin = 0, .size = sizes.at(0)}}}};
  HONE_ASSERT(sizes.size() == options.sources.size());
  std::vector<Stage> stages;
  for (const StageOptions& stage : options.stages)
    stages.push_back(stage_of(stage, options, sizes));
  if (stages.empty()) stages.push_back(stage_of(whole(), options, sizes));
  return stages;
}

}  // namespace hone::datasets
