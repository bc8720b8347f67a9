#include "report/run_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/html.h"

namespace hone::report {
namespace {

using nlohmann::ordered_json;

std::string plain(const ordered_json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}
std::string short_hash(const ordered_json& value) { return plain(value).substr(0, 16); }
std::string count(const ordered_json& value) { return html::grouped(value.get<std::int64_t>()); }

std::string four_places(const ordered_json& value) {
  return fmt::format("{:.4f}", value.get<double>());
}
std::string whole(const ordered_json& value) { return fmt::format("{:.0f}", value.get<double>()); }
std::string seconds(const ordered_json& value) {
  return fmt::format("{:.2f} s", value.get<double>());
}
std::string mebibytes(const ordered_json& value) {
  const double size = value.get<double>() / (1 << 20);
  return fmt::format("{:.{}f} MiB", size, size < 10 ? 2 : 0);
}
std::string gigaflops(const ordered_json& value) {
  return fmt::format("{:.0f} GFLOP/s", value.get<double>() / 1e9);
}
std::string percent(const ordered_json& value) {
  return fmt::format("{:.1f} %", 100 * value.get<double>());
}

/// As people say it: 42 s, 3 min 20 s, 2 h 5 min.
std::string duration(const ordered_json& value) {
  const auto all = static_cast<std::int64_t>(std::llround(std::max(0.0, value.get<double>())));
  if (all < 60) return fmt::format("{} s", all);
  if (all < 3600) return fmt::format("{} min {} s", all / 60, all % 60);
  return fmt::format("{} h {} min", all / 3600, all % 3600 / 60);
}

}  // namespace

const std::vector<Fact>& run_facts() {
  using enum About;
  static const std::vector<Fact> table = {
      {kOutcome, "status", "/status", plain},
      {kOutcome, "final loss", "/final_loss", four_places},
      {kOutcome, "evaluation loss", "/final_eval_loss", four_places},
      {kOutcome, "steps", "/steps", count},
      {kOutcome, "tokens", "/tokens", count},
      {kOutcome, "tokens/s", "/tokens_per_s", whole},
      {kOutcome, "of the matrix peak", "/mfu", percent},
      {kOutcome, "peak memory", "/peak_memory_bytes", mebibytes},
      {kOutcome, "time", "/wall_time_s", duration},

      {kData, "rows", "/data/rows", count},
      {kData, "tokens", "/data/tokens", count},
      {kData, "of them trained on", "/data/trained_share", percent},
      {kData, "rows to evaluate on", "/data/eval_rows", count},

      {kTime, "waiting for rows", "/seconds_by_phase/data", seconds},
      {kTime, "forward", "/seconds_by_phase/forward", seconds},
      {kTime, "backward", "/seconds_by_phase/backward", seconds},
      {kTime, "optimizer", "/seconds_by_phase/optimizer", seconds},
      {kTime, "evaluation", "/seconds_by_phase/evaluation", seconds},
      {kTime, "checkpoints", "/seconds_by_phase/checkpoint", seconds},
      {kTime, "matrix peak, measured", "/matrix_peak_flops", gigaflops},

      {kMemory, "frozen weights", "/memory/weights_bytes", mebibytes},
      {kMemory, "trained weights", "/memory/trained_bytes", mebibytes},
      {kMemory, "gradients", "/memory/gradients_bytes", mebibytes},
      {kMemory, "moments", "/memory/moments_bytes", mebibytes},
      {kMemory, "activations, at most", "/memory/activations_peak_bytes", mebibytes},

      {kOrigin, "method", "/method", plain},
      {kOrigin, "seed", "/seed", plain},
      {kOrigin, "started", "/started_at", plain},
      {kOrigin, "ended", "/ended_at", plain},
      {kOrigin, "resumed after step", "/resumed_from_step", plain},
      {kOrigin, "base, SHA-256", "/hashes/base", short_hash},
      {kOrigin, "data, SHA-256", "/hashes/data", short_hash},
      {kOrigin, "config, SHA-256", "/hashes/config", short_hash},
      {kOrigin, "hone", "/versions/hone", plain},
      {kOrigin, "LibTorch", "/versions/libtorch", plain},
      {kOrigin, "processor", "/host/cpu_model", plain},
      {kOrigin, "error", "/error", plain}};
  return table;
}

const Fact& fact_at(const std::string& key) {
  const auto found =
      std::ranges::find_if(run_facts(), [&](const Fact& fact) { return key == fact.key; });
  HONE_ASSERT(found != run_facts().end(), "no fact of a run is at {}", key);
  return *found;
}

std::string text_of(const Fact& fact, const ordered_json& record) {
  const ordered_json::json_pointer key(fact.key);
  if (!record.contains(key) || record[key].is_null()) return {};
  try {
    return fact.write(record[key]);
  } catch (const nlohmann::json::exception&) {
    return record[key].dump();
  }
}

}  // namespace hone::report
