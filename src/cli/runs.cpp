#include <algorithm>
#include <array>

#include "base/log.h"
#include "cli/model_arguments.h"
#include "cli/verbs.h"
#include "report/history.h"
#include "report/run_facts.h"

namespace hone::cli {
namespace {

using nlohmann::ordered_json;

struct Arguments {
  std::string folder = "runs";
  std::string sort = "folder";
};

/// A column of the table: a fact of run.json, and how it is headed here.
struct Column {
  const char* key;
  const char* label;
  int width;
};

constexpr std::array kColumns = {Column{"status", "status", 8},
                                 Column{"method", "method", 7},
                                 Column{"steps", "steps", 7},
                                 Column{"final_loss", "loss", 9},
                                 Column{"final_eval_loss", "eval loss", 9},
                                 Column{"tokens_per_s", "tokens/s", 9},
                                 Column{"wall_time_s", "time", 13},
                                 Column{"started_at", "started", 20}};

std::string text_of(const Column& column, const ordered_json& row) {
  const std::string text = report::text_of(report::fact_at(std::string("/") + column.key), row);
  return text.empty() ? "-" : text;
}

/// Missing values come last, whatever is sorted by.
bool comes_first(const ordered_json& a, const ordered_json& b) {
  if (a.is_null() || b.is_null()) return !a.is_null() && b.is_null();
  return a < b;
}

void print_table(const std::vector<ordered_json>& rows) {
  std::size_t longest = 6;
  for (const ordered_json& row : rows)
    longest = std::max(longest, row["folder"].get_ref<const std::string&>().size());
  std::string head = fmt::format("{:<{}}", "folder", longest);
  for (const Column& column : kColumns) head += fmt::format("  {:>{}}", column.label, column.width);
  fmt::print("{}\n", head);
  for (const ordered_json& row : rows) {
    std::string line = fmt::format("{:<{}}", row["folder"].get<std::string>(), longest);
    for (const Column& column : kColumns)
      line += fmt::format("  {:>{}}", text_of(column, row), column.width);
    fmt::print("{}\n", line);
  }
}

ExitCode run_runs(const Arguments& arguments, const Common& common) {
  std::vector<ordered_json> rows;
  for (const std::filesystem::path& folder : report::find_runs(arguments.folder)) {
    const report::RunHistory run = report::read_run(folder);
    ordered_json row = {{"folder", folder.string()}};
    for (const Column& column : kColumns)
      row[column.key] = run.record.value(column.key, ordered_json());
    rows.push_back(std::move(row));
  }
  std::ranges::stable_sort(rows, comes_first,
                           [&](const ordered_json& row) { return row.at(arguments.sort); });
  if (common.json) {
    for (const ordered_json& row : rows) print_row(row);
  } else if (rows.empty()) {
    log::info("{}: no runs", arguments.folder);
  } else {
    print_table(rows);
  }
  return ExitCode::kDone;
}

}  // namespace

Action declare_runs(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  std::vector<std::string> keys{"folder"};
  for (const Column& column : kColumns) keys.emplace_back(column.key);
  command.add_option("folder", arguments->folder, "Where the runs lie, at any depth")
      ->capture_default_str();
  command.add_option("--sort", arguments->sort, "Column to sort by, smallest first")
      ->check(CLI::IsMember(keys))
      ->capture_default_str();
  return [arguments, &common] { return run_runs(*arguments, common); };
}

}  // namespace hone::cli
