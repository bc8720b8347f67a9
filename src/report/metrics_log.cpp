#include "report/metrics_log.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "base/error.h"

namespace hone::report {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::string_view, 7> kLeadingKeys = {
    "loss", "grad_norm", "learning_rate", "tokens", "trained_tokens", "tokens_per_s", "time_s"};

std::size_t rank_of(const std::string& key) {
  return static_cast<std::size_t>(std::ranges::find(kLeadingKeys, key) - kLeadingKeys.begin());
}

const char* name_of_non_finite(double value) {
  if (std::isnan(value)) return "NaN";
  return value > 0 ? "Infinity" : "-Infinity";
}

/// The step that a line tells, or nothing where the line is not one of ours.
std::optional<std::int64_t> step_of(std::string_view line) {
  const auto row = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!row.is_object() || !row.contains("step") || !row["step"].is_number_integer()) return {};
  return row["step"].get<std::int64_t>();
}

}  // namespace

std::string metrics_line(std::int64_t step, const Metrics& metrics) {
  Metrics sorted = metrics;
  std::ranges::stable_sort(sorted, {}, [](const auto& metric) { return rank_of(metric.first); });
  ordered_json row = {{"step", step}}, non_finite;
  for (const auto& [key, value] : sorted) {
    HONE_ASSERT(!row.contains(key) && key != "non_finite", "the metric '{}' is given twice", key);
    std::visit([&, &name = key](auto number) { row[name] = number; }, value);
    if (const double* number = std::get_if<double>(&value); number && !std::isfinite(*number)) {
      row[key] = nullptr;
      non_finite[key] = name_of_non_finite(*number);
    }
  }
  if (!non_finite.empty()) row["non_finite"] = std::move(non_finite);
  return row.dump();
}

std::size_t bytes_through_step(const std::filesystem::path& path, std::int64_t last_step) {
  if (!std::filesystem::is_regular_file(path)) return 0;
  const std::string content = read_file(path);
  std::size_t start = 0;
  for (std::size_t end; (end = content.find('\n', start)) != std::string::npos; start = end + 1) {
    const auto step = step_of(std::string_view(content).substr(start, end - start));
    if (!step || *step > last_step) break;
  }
  return start;
}

}  // namespace hone::report
