#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "report/process.h"

namespace hone::report {

/// Tokens per second without the first steps, in which memory is first touched and code warms up.
class SteadyThroughput {
 public:
  void add_step(std::int64_t tokens, double seconds);

  /// Tokens of the steady steps over their seconds. The first `kWarmupSteps` are left out, but
  /// never more than half of all. 0 before the first step.
  double tokens_per_s() const;

  static constexpr std::int64_t kWarmupSteps = 5;

 private:
  struct Sum {
    std::int64_t tokens = 0;
    double seconds = 0;
  };
  std::int64_t steps_ = 0;
  Sum total_;
  std::array<Sum, kWarmupSteps> first_{};  // sums over the first 1, 2, … steps
};

/// run.json: what a run was and how it went. Written at the start with the status "running", so a
/// run that was killed is told from one that ended, and again at the end.
struct RunRecord {
  std::string status = "running";    ///< running | done | stopped (run it again) | failed
  std::string error;                 ///< why it failed
  std::string method;                ///< the trainer: "sft"
  std::string started_at, ended_at;  ///< ISO 8601, UTC; `ended_at` empty while running
  std::optional<std::int64_t> resumed_from_step;

  std::int64_t steps = 0;
  std::int64_t tokens = 0, trained_tokens = 0;
  std::optional<double> final_loss, final_eval_loss;
  double tokens_per_s = 0;  ///< over the steady steps
  double wall_time_s = 0, time_to_first_step_s = 0;
  std::uint64_t peak_memory_bytes = 0;

  std::uint64_t seed = 0;
  std::string base_sha256, data_sha256, config_sha256;
  std::string hone_version, libtorch_version;
  HostFacts host;
  nlohmann::ordered_json extra = nlohmann::ordered_json::object();  ///< the trainer's own keys
};

nlohmann::ordered_json to_json(const RunRecord& record);

/// Writes run.json, atomically.
/// @throws IoError
void write_run_record(const std::filesystem::path& run_folder, const RunRecord& record);

}  // namespace hone::report
