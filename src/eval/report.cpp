#include "eval/report.h"

#include <fmt/format.h>

#include <cmath>

namespace hone::eval {
namespace {

using nlohmann::ordered_json;

ordered_json fields_of(const TokenOutcome& tokens) {
  return {{"loss", tokens.loss},
          {"weight", tokens.weight},
          {"tokens", tokens.tokens},
          {"correct", tokens.correct},
          {"bytes", tokens.bytes}};
}

ordered_json fields_of(const AnswerOutcome& answer) {
  return {{"prompt", answer.prompt},
          {"expected", answer.expected ? ordered_json(*answer.expected) : ordered_json()},
          {"given", answer.given},
          {"stopped", answer.stopped},
          {"tokens", answer.tokens}};
}

ordered_json fields_of(const ChoiceOutcome& choices) {
  return {{"answer", choices.answer}, {"logprobs", choices.logps}};
}

ordered_json fields_of(const PairOutcome& pair) {
  return {{"chosen", pair.chosen},
          {"rejected", pair.rejected},
          {"chosen_tokens", pair.chosen_tokens},
          {"rejected_tokens", pair.rejected_tokens}};
}

ordered_json to_json(const Estimate& estimate) {
  return {{"value", estimate.value},
          {"low", estimate.interval.low},
          {"high", estimate.interval.high},
          {"rows", estimate.rows},
          {"rows_for_difference",
           estimate.rows_for ? ordered_json(*estimate.rows_for) : ordered_json()}};
}

const char* verdict(const Difference& difference) {
  return difference.is_worse ? "worse" : difference.is_better ? "better" : "same";
}

ordered_json to_json(const Difference& difference) {
  ordered_json json = {{"value", difference.value},
                       {"low", difference.interval.low},
                       {"high", difference.interval.high}};
  if (difference.p) json["p"] = *difference.p;
  json["verdict"] = verdict(difference);
  return json;
}

bool is_share(const Metric& metric) { return metric.point > 0 && metric.point < 1; }

/// "a difference of 2 points", of a share or BLEU; "of 2 %" of what has no points of its own.
std::string size_of_difference(const Metric& metric, double difference) {
  return fmt::format("{:g} {}", difference, metric.point > 0 ? "points" : "%");
}

std::string line_of(const Tally& tally, double difference) {
  const Metric& metric = tally.metric();
  const Estimate estimate = tally.estimate(difference);
  std::string interval = "one row: no interval", rows;
  if (std::isfinite(estimate.interval.low))
    interval = fmt::format("{} to {}", figure(metric, estimate.interval.low),
                           figure(metric, estimate.interval.high));
  if (estimate.rows_for)
    rows = fmt::format("a difference of {} would need {} rows",
                       size_of_difference(metric, difference), *estimate.rows_for);
  return fmt::format("  {:<25}{:>9}   {:<20}  {}\n", metric.name, figure(metric, estimate.value),
                     interval, rows);
}

std::string comparison_of(const Tally& tally, const Tally& base) {
  const Metric& metric = tally.metric();
  const Difference found = tally.difference_to(base);
  std::string p;
  if (found.p) p = *found.p < 0.001 ? ", p < 0.001" : fmt::format(", p = {:.3f}", *found.p);
  return fmt::format("    beside the base's {}: {} ({} to {}){}{}\n",
                     figure(metric, base.estimate(1).value), change(metric, found.value),
                     change(metric, found.interval.low), change(metric, found.interval.high), p,
                     found.is_worse    ? ": worse"
                     : found.is_better ? ": better"
                                       : ": no difference that chance does not explain");
}

}  // namespace

ordered_json to_json(const std::string& evaluation, const std::string& where,
                     const Outcome& outcome) {
  ordered_json json = {{"evaluation", evaluation}, {"row", where}};
  json.update(std::visit([](const auto& one) { return fields_of(one); }, outcome));
  return json;
}

ordered_json to_json(const Evaluation& found, const Evaluation* base, double difference) {
  ordered_json json = {{"rows", found.rows},
                       {"rows_left_out", found.rows_left_out},
                       {"tokens", found.tokens},
                       {"generated_tokens", found.generated_tokens},
                       {"seconds", found.seconds}};
  ordered_json& metrics = json["metrics"] = ordered_json::object();
  for (std::size_t i = 0; i < found.tallies.size(); ++i) {
    const Tally& tally = found.tallies[i];
    ordered_json& metric = metrics[std::string(tally.metric().name)] =
        to_json(tally.estimate(difference));
    if (base == nullptr) continue;
    metric["base"] = to_json(base->tallies[i].estimate(difference));
    metric["difference"] = to_json(tally.difference_to(base->tallies[i]));
  }
  return json;
}

std::string to_table(const Evaluation& found, const Evaluation* base, double difference) {
  std::string text = fmt::format("{}: {} rows in {:.1f} s", found.name, found.rows, found.seconds);
  if (found.rows_left_out > 0)
    text += fmt::format(", {} more left out as too long", found.rows_left_out);
  if (found.generated_tokens > 0)
    text += fmt::format(", {} tokens answered, {:.0f} a second", found.generated_tokens,
                        double(found.generated_tokens) / found.generation_s);
  text += "\n";
  for (std::size_t i = 0; i < found.tallies.size(); ++i) {
    text += line_of(found.tallies[i], difference);
    if (base != nullptr) text += comparison_of(found.tallies[i], base->tallies[i]);
  }
  text.pop_back();
  return text;
}

std::string figure(const Metric& metric, double value) {
  if (is_share(metric)) return fmt::format("{:.1f} %", 100 * value);
  return fmt::format("{:.{}f}", value, metric.point > 0 ? 1 : 4);
}

std::string change(const Metric& metric, double difference) {
  if (metric.point > 0) return fmt::format("{:+.1f}", difference / metric.point);
  return fmt::format("{:+.4f}", difference);
}

}  // namespace hone::eval
