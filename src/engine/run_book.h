#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/guard.h"
#include "report/metrics_log.h"
#include "report/mlflow.h"
#include "report/options.h"
#include "report/progress.h"
#include "report/run_record.h"
#include "report/tensorboard.h"

namespace hone::engine {

/// What one optimizer step reports; `extra` are the trainer's own metrics.
struct StepReport {
  double loss = 0;
  double grad_norm = 0;      ///< before clipping
  double learning_rate = 0;  ///< used in this step
  double epoch = 0;          ///< epochs done after it
  std::int64_t tokens = 0;
  std::int64_t trained_tokens = 0;
  std::vector<std::int64_t> document_lengths;  ///< of what this rank read, where it is known
  Verdict verdict = Verdict::kUpdate;          ///< what became of it
  report::Metrics extra;

  /// Puts the trainer's own metrics behind those that the step has already.
  void add(const report::Metrics& more) { extra.insert(extra.end(), more.begin(), more.end()); }
};

/// Keeps the books of a run: metrics.jsonl, the progress line, what section `report` asks for, and
/// run.json, which says "running" from the start, so that a killed run is told from one that ended.
class RunBook {
 public:
  /// @param steps_done 0, or the step that a resumed run goes on after
  /// @param writes false on ranks that leave it to the first: then nothing is touched
  RunBook(std::filesystem::path run_folder, std::int64_t steps_done, std::int64_t total_steps,
          report::RunRecord record, const report::ReportOptions& options, bool writes = true);

  void note_step(std::int64_t step, const StepReport& report, double seconds);
  void note_evaluation(std::int64_t step, const report::Metrics& metrics);

  /// Writes run.json for the last time, and the reports that tell of the whole run; where these
  /// cannot be written, that is a warning. @param status done, stopped or failed
  /// @param error why it failed: it is told, so that what else cannot be written is a warning
  void close(const std::string& status, const std::string& error = "");

  /// To be completed by the trainer before `close`.
  report::RunRecord& record() { return record_; }

 private:
  void append(std::int64_t step, const report::Metrics& metrics);
  void write_reports() const;

  std::filesystem::path run_folder_;
  report::ReportOptions options_;
  bool writes_;
  std::optional<report::MetricsLog> metrics_;
  std::optional<report::TensorBoardLog> tensorboard_;
  std::optional<report::MlflowRun> mlflow_;
  report::Progress progress_;
  report::SteadyThroughput throughput_;
  report::RunRecord record_;
};

/// Wall-clock seconds since the process was started.
double seconds_since_start();

}  // namespace hone::engine
