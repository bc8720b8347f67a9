#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "base/file.h"
#include "report/metrics_log.h"

namespace hone::report {

/// A run in MLflow's file store, where `mlflow ui --backend-store-uri STORE` shows it under the
/// experiment "Default". It is known there by a hash of its folder's path, so that a run that
/// resumes goes on with what it had written, and one that begins again replaces it.
/// @source MLflow's FileStore: STORE/0/RUN/{meta.yaml, metrics/NAME, params/NAME, tags/NAME}, a
///         metric's lines being "milliseconds value step"
class MlflowRun {
 public:
  /// @param run_folder of the run, named absolutely in the store
  /// @param params     options by their dotted keys
  /// @param last_step  the step that the run continues after; 0 for a run from the start
  /// @throws IoError
  MlflowRun(const std::filesystem::path& store, const std::filesystem::path& run_folder,
            const std::map<std::string, std::string>& params, std::int64_t last_step);

  void append(std::int64_t step, const Metrics& metrics);

  /// @param status as run.json has it: done, stopped or failed
  void close(const std::string& status);

  const std::filesystem::path& folder() const { return folder_; }

 private:
  void write_meta(int status, std::int64_t end_time_ms) const;

  std::filesystem::path run_folder_, folder_;
  std::int64_t start_time_ms_;
  std::map<std::string, std::unique_ptr<LineFile>> files_;
};

}  // namespace hone::report
