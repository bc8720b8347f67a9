#include "report/run_record.h"

#include <algorithm>

#include "base/file.h"

namespace hone::report {
namespace {

using nlohmann::ordered_json;

/// null where there is nothing to tell. A non-finite number becomes null when it is written.
ordered_json or_null(const std::string& text) {
  return text.empty() ? ordered_json() : ordered_json(text);
}

template <class T>
ordered_json or_null(const std::optional<T>& value) {
  return value ? ordered_json(*value) : ordered_json();
}

ordered_json to_json(const HostFacts& host) {
  return {{"cpu_model", host.cpu_model},
          {"cpu_cores", host.cpu_cores},
          {"memory_bytes", host.memory_bytes},
          {"system", host.system}};
}

}  // namespace

void SteadyThroughput::add_step(std::int64_t tokens, double seconds) {
  total_.tokens += tokens;
  total_.seconds += seconds;
  if (steps_ < kWarmupSteps) first_[static_cast<std::size_t>(steps_)] = total_;
  ++steps_;
}

double SteadyThroughput::tokens_per_s() const {
  const std::int64_t left_out = std::min(kWarmupSteps, steps_ / 2);
  const Sum warmup = left_out > 0 ? first_[static_cast<std::size_t>(left_out - 1)] : Sum{};
  const double seconds = total_.seconds - warmup.seconds;
  return seconds > 0 ? static_cast<double>(total_.tokens - warmup.tokens) / seconds : 0.0;
}

ordered_json to_json(const RunRecord& record) {
  ordered_json json = {
      {"status", record.status},
      {"error", or_null(record.error)},
      {"method", record.method},
      {"started_at", record.started_at},
      {"ended_at", or_null(record.ended_at)},
      {"resumed_from_step", or_null(record.resumed_from_step)},
      {"steps", record.steps},
      {"tokens", record.tokens},
      {"trained_tokens", record.trained_tokens},
      {"final_loss", or_null(record.final_loss)},
      {"final_eval_loss", or_null(record.final_eval_loss)},
      {"tokens_per_s", record.tokens_per_s},
      {"wall_time_s", record.wall_time_s},
      {"time_to_first_step_s", record.time_to_first_step_s},
      {"peak_memory_bytes", record.peak_memory_bytes},
      {"seed", record.seed},
      {"hashes",
       {{"base", or_null(record.base_sha256)},
        {"data", or_null(record.data_sha256)},
        {"config", or_null(record.config_sha256)}}},
      {"versions", {{"hone", record.hone_version}, {"libtorch", record.libtorch_version}}},
      {"host", to_json(record.host)}};
  json.update(record.extra);
  return json;
}

void write_run_record(const std::filesystem::path& run_folder, const RunRecord& record) {
  // A path or message that is not UTF-8 must not lose the record of the run.
  const auto on_invalid = ordered_json::error_handler_t::replace;
  write_file_atomically(run_folder / "run.json",
                        to_json(record).dump(2, ' ', false, on_invalid) + "\n");
}

}  // namespace hone::report
