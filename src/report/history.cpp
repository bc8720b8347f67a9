#include "report/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "config/yaml.h"

namespace hone::report {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

/// A line torn by a kill, or one being written right now, ends the reading.
void read_metrics(const fs::path& path, RunHistory& run) {
  const std::string content = read_file(path);
  std::size_t start = 0;
  for (std::size_t end; (end = content.find('\n', start)) != std::string::npos; start = end + 1) {
    const auto line = ordered_json::parse(std::string_view(content).substr(start, end - start),
                                          nullptr, /*allow_exceptions=*/false);
    if (!line.is_object() || !line.contains("step") || !line["step"].is_number_integer()) return;
    const auto step = line["step"].get<std::int64_t>();
    for (const auto& [name, value] : line.items()) {
      if (name == "step" || !(value.is_number() || value.is_null())) continue;
      run.curves[name].push_back(
          {step, value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>()});
    }
  }
}

std::string text_of(const config::Node& node) {
  using Kind = config::Node::Kind;
  if (node.kind == Kind::kScalar) return node.text;
  if (node.kind != Kind::kList && node.kind != Kind::kMapping) return "null";
  std::string text;
  for (const config::Node& item : node.items) {
    if (!text.empty()) text += ", ";
    if (node.kind == Kind::kMapping) text += item.key + ": ";
    text += text_of(item);
  }
  return (node.kind == Kind::kList ? "[" : "{") + text + (node.kind == Kind::kList ? "]" : "}");
}

/// Sections are the first level, their options the second.
void read_config(const fs::path& path, RunHistory& run) {
  if (!fs::is_regular_file(path)) return;
  run.config_text = read_file(path);
  std::vector<config::YamlProblem> problems;
  for (const config::Node& section : config::parse_yaml(run.config_text, problems).items)
    for (const config::Node& option : section.items)
      run.config[fmt::format("{}.{}", section.key, option.key)] = text_of(option);
}

bool is_run(const fs::path& folder) {
  return fs::is_regular_file(folder / "run.json") && fs::is_regular_file(folder / "metrics.jsonl");
}

}  // namespace

const Curve* RunHistory::curve(const std::string& name) const {
  const auto found = curves.find(name);
  return found == curves.end() ? nullptr : &found->second;
}

RunHistory read_run(const fs::path& folder) {
  for (const char* file : {"run.json", "metrics.jsonl"})
    HONE_CHECK(DataError, fs::is_regular_file(folder / file),
               "{}: is no run's folder: it has no {}; expected the train.output_dir of a run",
               folder.string(), file);
  RunHistory run;
  run.folder = folder;
  run.record = ordered_json::parse(read_file(folder / "run.json"), nullptr, false);
  HONE_CHECK(DataError, run.record.is_object(), "{}: is no JSON object; the run's facts are lost",
             (folder / "run.json").string());
  read_metrics(folder / "metrics.jsonl", run);
  read_config(folder / "config.resolved.yaml", run);
  return run;
}

std::vector<fs::path> find_runs(const fs::path& folder) {
  HONE_CHECK(DataError, fs::is_directory(folder), "{}: is no folder", folder.string());
  std::vector<fs::path> runs;
  if (is_run(folder)) return {folder};
  auto entries =
      fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied);
  for (auto entry = begin(entries); entry != end(entries); ++entry) {
    if (!entry->is_directory() || !is_run(entry->path())) continue;
    runs.push_back(entry->path());
    entry.disable_recursion_pending();
  }
  std::ranges::sort(runs);
  return runs;
}

std::string metrics_csv(const RunHistory& run) {
  std::map<std::int64_t, std::map<std::string_view, double>> rows;
  for (const auto& [name, curve] : run.curves)
    for (const Point& point : curve) rows[point.step][name] = point.value;
  std::string csv = "step";
  for (const auto& [name, curve] : run.curves) csv += "," + name;
  csv += '\n';
  for (const auto& [step, values] : rows) {
    csv += fmt::format("{}", step);
    for (const auto& [name, curve] : run.curves) {
      const auto found = values.find(name);
      csv += found == values.end() ? "," : fmt::format(",{}", found->second);
    }
    csv += '\n';
  }
  return csv;
}

}  // namespace hone::report
