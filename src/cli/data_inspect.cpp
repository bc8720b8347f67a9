#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "cli/data_verbs.h"
#include "cli/dataset_arguments.h"
#include "cli/model_arguments.h"
#include "datasets/cached_load.h"
#include "datasets/preview.h"
#include "engine/run_data.h"

namespace hone::cli {
namespace {

using datasets::Example;
using nlohmann::ordered_json;

struct InspectArguments {
  DatasetArguments rows;
  std::int64_t count = 5;
  std::int64_t row = 0;  ///< 0: from the first one
  bool eval = false, borders = false;
};

/// Gives rows to `show` until it says false: out of the cache where there is one, else no more of
/// the files is read than needed.
void for_each_row(const datasets::LoadRequest& request,
                  const std::function<bool(const Example&)>& show) {
  const auto folder = datasets::cache_folder(request.files, request.options);
  if (!folder || !std::filesystem::exists(datasets::cache_path(*folder, request))) {
    datasets::tokenise(request, show);
    return;
  }
  const datasets::Dataset data = datasets::load_through_cache(*folder, request);
  for (std::int64_t i = 0; i < data.size() && show(data.example(i)); ++i) {
  }
}

ordered_json json_of(const Example& example, const std::vector<std::string>& files,
                     const datasets::TextTools& tools) {
  ordered_json row = {{"file", files.at(static_cast<std::size_t>(example.file))},
                      {"row", example.row},
                      {"tokens", example.length()},
                      {"trained_tokens", example.trained_tokens()},
                      {"straddling_tokens", example.straddling_tokens},
                      {"ids", example.ids},
                      {"weights", example.weights}};
  if (example.documents() > 1) row["document_ends"] = example.document_ends;
  if (!example.values.empty()) row["values"] = example.values;
  if (tools.tokenizer == nullptr) return row;
  row["texts"] = datasets::token_texts(example, *tools.tokenizer);
  for (std::size_t t = 0; t < example.ids.size(); ++t)
    if (std::ranges::count(tools.stop_ids, example.ids[t]) > 0) row["stops"].push_back(t);
  return row;
}

void print_text(const Example& example, const std::vector<std::string>& files,
                const DatasetSetting& setting, bool has_borders) {
  const bool colour = isatty(STDOUT_FILENO) == 1;
  fmt::print("{}:{}  {} tokens, {} of them trained{}\n",
             files.at(static_cast<std::size_t>(example.file)), example.row, example.length(),
             example.trained_tokens(), colour ? " (green)" : " (in [[ ]])");
  if (setting.text.tokenizer) {
    const datasets::PreviewStyle style = {.colour = colour,
                                          .borders = has_borders,
                                          .weights = true,
                                          .stop_ids = setting.tools.stop_ids};
    fmt::print("{}\n\n", datasets::preview_row(example, *setting.text.tokenizer, style));
  } else {
    fmt::print("ids      {}\nweights  {}\n\n", fmt::join(example.ids, " "),
               fmt::join(example.weights, " "));
  }
}

/// Shows rows of one set of files. Gives their number.
std::int64_t show_rows(const RowSet& set, const DatasetSetting& setting,
                       const InspectArguments& arguments, bool json) {
  const datasets::LoadSettings settings;
  std::int64_t shown = 0;
  const auto show = [&](const Example& example) {
    if (example.row < arguments.row) return true;
    if (json) {
      print_row(json_of(example, set.files, setting.tools));
    } else {
      print_text(example, set.files, setting, arguments.borders);
    }
    return ++shown < (arguments.row > 0 ? 1 : arguments.count);
  };
  for_each_row({set.files, set.options, setting.tools, setting.context_length, settings}, show);
  return shown;
}

ExitCode run_inspect(const InspectArguments& arguments, const Common& common) {
  const std::unique_ptr<DatasetSetting> setting = open_dataset_setting(arguments.rows, common);
  bool is_there = false;
  std::int64_t shown = 0;
  for (const RowSet& set : row_sets(*setting)) {
    if (set.is_eval != arguments.eval) continue;
    is_there = true;
    shown += show_rows(set, *setting, arguments, common.json);
  }
  HONE_CHECK(ConfigError, is_there, "data.{}: names no file", arguments.eval ? "eval" : "train");
  HONE_CHECK(DataError, shown > 0, "no row from line {} on is left to show", arguments.row);
  return ExitCode::kDone;
}

}  // namespace

Action declare_data_inspect(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<InspectArguments>();
  arguments->rows.declare(command);
  command.add_option("--rows", arguments->count, "How many rows are shown")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--row", arguments->row,
                  "Only the row at this line of its file, or the next one that is kept")
      ->check(CLI::PositiveNumber);
  command.add_flag("--eval", arguments->eval, "Rows of data.eval");
  command.add_flag("--borders", arguments->borders, "Show where each token ends");
  return [arguments, &common] { return run_inspect(*arguments, common); };
}

}  // namespace hone::cli
