#include "engine/stopping.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "eval/metric.h"

namespace hone::engine {
namespace {

using nlohmann::json;

constexpr std::string_view kPrefix = "eval_";

/// What the table of metrics says of it, be it of the suite (eval_NAME/METRIC) or of data.eval; of
/// others transformers' rule: a loss wants to be small.
bool wants_to_be_great(const std::string& metric) {
  const std::string name = metric.substr(std::max(metric.rfind('/') + 1, kPrefix.size()));
  const auto known = std::ranges::find(eval::metrics(), name, &eval::Metric::name);
  return known != eval::metrics().end() ? !known->lower_is_better : !metric.ends_with("loss");
}

std::optional<double> value_of(const report::Metrics& metrics, const std::string& name) {
  for (const auto& [known, value] : metrics)
    if (known == name) return std::visit([](auto number) { return double(number); }, value);
  return std::nullopt;
}

[[noreturn]] void refuse_metric(const std::string& name, const report::Metrics& metrics) {
  std::vector<std::string> names;
  for (const auto& [known, value] : metrics) names.push_back(known);
  throw ConfigError(
      fmt::format("eval.metric_for_best_model: an evaluation of this run has no {}; it has {}",
                  name, fmt::join(names, ", ")));
}

}  // namespace

Stopping::Stopping(const eval::EvalOptions& options, bool is_needed)
    : options_(options), is_needed_(is_needed || options.early_stopping_patience > 0) {
  const std::string& name = options.metric_for_best_model;
  metric_ = name.starts_with(kPrefix) ? name : std::string(kPrefix) + name;
  greater_is_better_ = options.greater_is_better.value_or(wants_to_be_great(metric_));
}

bool Stopping::note(std::int64_t step, const report::Metrics& metrics) {
  const auto found = value_of(metrics, metric_);
  if (!found && is_needed_) refuse_metric(metric_, metrics);
  if (!found) return false;
  const double value = *found;
  const double gain = greater_is_better_ ? value - best_value_ : best_value_ - value;
  const bool is_best = std::isfinite(value) && (!best_step_ || gain > 0);
  const bool gains = is_best && (!best_step_ || gain > options_.early_stopping_threshold);
  without_gain_ = gains ? 0 : without_gain_ + 1;
  if (!is_best) return false;
  best_step_ = step;
  best_value_ = value;
  return true;
}

json Stopping::state() const {
  return {{"best_step", best_step_ ? json(*best_step_) : json()},
          {"best_value", best_value_},
          {"without_gain", without_gain_}};
}

void Stopping::restore(const json& state) {
  const json& step = state.at("best_step");
  best_step_ = step.is_null() ? std::nullopt : std::optional(step.get<std::int64_t>());
  best_value_ = state.at("best_value").get<double>();
  without_gain_ = state.at("without_gain").get<std::int64_t>();
}

}  // namespace hone::engine
