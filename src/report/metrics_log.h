#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/file.h"

namespace hone::report {

using MetricValue = std::variant<std::int64_t, double>;
/// Names and values, in any order: {{"loss", 1.25}, {"tokens", int64_t{4096}}}.
using Metrics = std::vector<std::pair<std::string, MetricValue>>;

/// One line of metrics.jsonl, without the newline: `step` first, then the keys that every trainer
/// has in the order of CLI.md, then the others as given. Doubles are the shortest text that reads
/// back as the same bits. JSON has no NaN or infinities: such a value is null, and `non_finite`
/// says which it was: {"loss":null,…,"non_finite":{"loss":"NaN"}}.
std::string metrics_line(std::int64_t step, const Metrics& metrics);

/// The size in bytes of the leading lines of a metrics file that are whole and of a step up to
/// `last_step`: what a run that resumes after `last_step` keeps. A line torn by a kill or a power
/// cut ends it. 0 where there is no such file.
std::size_t bytes_through_step(const std::filesystem::path& path, std::int64_t last_step);

/// metrics.jsonl, one object a step, readable by others while it grows.
class MetricsLog {
 public:
  /// @param last_step the step that the run continues after; later lines of the file are cut. 0 for
  ///        a run from the start.
  /// @throws IoError
  MetricsLog(const std::filesystem::path& path, std::int64_t last_step)
      : file_(path, bytes_through_step(path, last_step)) {}

  /// @throws IoError naming path and reason when the disk is full
  void append(std::int64_t step, const Metrics& metrics) {
    file_.append(metrics_line(step, metrics));
  }

 private:
  LineFile file_;
};

}  // namespace hone::report
