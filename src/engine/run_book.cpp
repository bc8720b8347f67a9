#include "engine/run_book.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "report/diagnosis.h"
#include "report/history.h"
#include "report/run_page.h"

namespace hone::engine {

double seconds_since_start() {
  // Field 22 of /proc/self/stat is the start in clock ticks since boot; the name before it may hold
  // blanks, so fields are counted from its closing bracket.
  std::ifstream stat_file("/proc/self/stat"), uptime_file("/proc/uptime");
  std::stringstream text;
  text << stat_file.rdbuf();
  const std::string stat = text.str();
  std::istringstream fields(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)));
  std::string skipped;
  for (int field = 3; field < 22; ++field) fields >> skipped;
  double started_ticks = 0, uptime_s = 0;
  if (!(fields >> started_ticks) || !(uptime_file >> uptime_s)) return 0;
  return std::max(0.0, uptime_s - started_ticks / double(sysconf(_SC_CLK_TCK)));
}

namespace {

std::filesystem::path mlflow_store(const report::ReportOptions& options,
                                   const std::filesystem::path& run_folder) {
  if (!options.mlflow_dir.empty()) return options.mlflow_dir;
  return std::filesystem::absolute(run_folder).lexically_normal().parent_path() / "mlruns";
}

}  // namespace

RunBook::RunBook(std::filesystem::path run_folder, std::int64_t steps_done,
                 std::int64_t total_steps, report::RunRecord record,
                 const report::ReportOptions& options, bool writes)
    : run_folder_(std::move(run_folder)),
      options_(options),
      writes_(writes),
      progress_(total_steps),
      record_(std::move(record)) {
  record_.status = "running";
  record_.started_at = report::utc_now();
  record_.steps = steps_done;
  if (steps_done > 0) record_.resumed_from_step = steps_done;
  if (!writes_) return;
  metrics_.emplace(run_folder_ / "metrics.jsonl", steps_done);
  report::write_run_record(run_folder_, record_);
  if (std::ranges::count(options_.report_to, "tensorboard") > 0)
    tensorboard_.emplace(run_folder_ / "tensorboard", steps_done);
  if (std::ranges::count(options_.report_to, "mlflow") > 0)
    mlflow_.emplace(mlflow_store(options_, run_folder_), run_folder_,
                    report::read_run(run_folder_).config, steps_done);
}

void RunBook::append(std::int64_t step, const report::Metrics& metrics) {
  if (metrics_) metrics_->append(step, metrics);
  if (tensorboard_) tensorboard_->append(step, metrics);
  if (mlflow_) mlflow_->append(step, metrics);
}

void RunBook::note_step(std::int64_t step, const StepReport& report, double seconds) {
  if (record_.time_to_first_step_s == 0) record_.time_to_first_step_s = seconds_since_start();
  throughput_.add_step(report.tokens, seconds);
  record_.steps = step;
  record_.tokens += report.tokens;
  record_.trained_tokens += report.trained_tokens;
  record_.final_loss = report.loss;

  const double tokens_per_s = double(report.tokens) / seconds;
  report::Metrics metrics = {{"loss", report.loss},
                             {"grad_norm", report.grad_norm},
                             {"learning_rate", report.learning_rate},
                             {"tokens", report.tokens},
                             {"trained_tokens", report.trained_tokens},
                             {"tokens_per_s", tokens_per_s},
                             {"time_s", seconds},
                             {"epoch", report.epoch}};
  if (report.verdict != Verdict::kUpdate) metrics.emplace_back("skipped", std::int64_t{1});
  metrics.insert(metrics.end(), report.extra.begin(), report.extra.end());
  append(step, metrics);
  progress_.update({step, report.loss, report.learning_rate, tokens_per_s});
}

void RunBook::note_evaluation(std::int64_t step, const report::Metrics& metrics) {
  append(step, metrics);
  std::string line;
  for (const auto& [name, value] : metrics) {
    if (name == "eval_loss") record_.final_eval_loss = std::get<double>(value);
    if (const double* number = std::get_if<double>(&value))
      line += fmt::format("  {} {:.4f}", name, *number);
  }
  log::info("step {}{}", step, line);
}

void RunBook::close(const std::string& status, const std::string& error) {
  progress_.finish();
  if (!writes_) return;
  record_.status = status;
  record_.error = error;
  record_.ended_at = report::utc_now();
  record_.tokens_per_s = throughput_.tokens_per_s();
  record_.wall_time_s = seconds_since_start();
  record_.peak_memory_bytes = report::process_memory().peak_bytes;
  try {
    report::write_run_record(run_folder_, record_);
    if (mlflow_) mlflow_->close(status);
  } catch (const Error& problem) {
    if (error.empty()) throw;
    log::warn("{}", problem.what());
  }
  try {
    write_reports();
  } catch (const Error& problem) {
    log::warn("the run's report could not be written: {}", problem.what());
  }
}

void RunBook::write_reports() const {
  const bool wants_csv = std::ranges::count(options_.report_to, "csv") > 0;
  if (!options_.html && !wants_csv) return;
  const report::RunHistory run = report::read_run(run_folder_);
  if (wants_csv) write_file_atomically(run_folder_ / "metrics.csv", report::metrics_csv(run));
  for (const report::Diagnosis& one : report::diagnose(run))
    log::info("curves  {}: {}. {}", one.name, one.what, one.advice);
  if (options_.html)
    write_file_atomically(run_folder_ / "report.html", report::run_page({run}, run_folder_));
}

}  // namespace hone::engine
