#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace hone::report {

/// One value of a metric. @param value NaN where the run had none that is finite
struct Point {
  std::int64_t step;
  double value;
};

/// A metric over a run, in the order of the steps.
using Curve = std::vector<Point>;

/// A run as its folder tells it: what is there while it runs, and after it ended in whatever way.
struct RunHistory {
  std::filesystem::path folder;
  nlohmann::ordered_json record;              ///< run.json
  std::map<std::string, Curve> curves;        ///< metrics.jsonl, by name
  std::map<std::string, std::string> config;  ///< config.resolved.yaml: dotted key to its text
  std::string config_text;

  /// Null where the run has none of that name.
  const Curve* curve(const std::string& name) const;
};

/// @throws DataError where the folder is no run's, naming what is missing
RunHistory read_run(const std::filesystem::path& folder);

/// The folders of runs in and below a folder, sorted; it may be a run itself. Checkpoints and
/// products are not looked into.
std::vector<std::filesystem::path> find_runs(const std::filesystem::path& folder);

/// One row a step, one column a metric, empty where a step has none: what a spreadsheet reads.
std::string metrics_csv(const RunHistory& run);

}  // namespace hone::report
