#include "engine/suite.h"

#include <fmt/format.h>

#include "base/error.h"
#include "eval/report.h"

namespace hone::engine {
namespace {

datasets::TextTools tools_of(const Text& text, std::int64_t vocab_size) {
  return {.tokenizer = text.tokenizer ? &*text.tokenizer : nullptr,
          .chat_template = text.chat_template ? &*text.chat_template : nullptr,
          .vocab_size = vocab_size,
          .stop_ids = text.stop_ids()};
}

report::Metrics metrics_of(const std::vector<eval::Evaluation>& evaluations) {
  report::Metrics metrics;
  for (const eval::Evaluation& found : evaluations)
    for (const eval::Tally& tally : found.tallies)
      metrics.emplace_back(fmt::format("eval_{}/{}", found.name, tally.metric().name),
                           tally.value());
  return metrics;
}

}  // namespace

eval::Setting eval_setting(const RunOptions& options, const datasets::TextTools& tools,
                           std::int64_t context_length) {
  return {.data = options.data,
          .tools = tools,
          .context_length = context_length,
          .tokens_per_batch = options.eval.tokens_per_device_batch,
          .answers_per_batch = options.eval.generation_batch_size,
          .seed = static_cast<std::uint64_t>(options.train.seed)};
}

SuiteWatch::SuiteWatch(const RunOptions& options, Text text, const model::Spec& spec)
    : options_(options),
      text_(std::move(text)),
      vocab_size_(spec.vocab_size),
      context_length_(spec.max_position_embeddings) {
  for (const eval::SuiteOptions& entry : options_.eval.suite)
    eval::check_possible(entry, spec, tools_of(text_, vocab_size_));
}

std::vector<eval::Evaluation> SuiteWatch::evaluate(const model::Decoder& decoder,
                                                   const eval::Crew& crew) const {
  const datasets::TextTools tools = tools_of(text_, vocab_size_);
  eval::Setting setting = eval_setting(options_, tools, context_length_);
  setting.crew = crew;
  std::vector<eval::Evaluation> found;
  for (const eval::SuiteOptions& entry : options_.eval.suite)
    found.push_back(eval::evaluate(decoder, entry, setting));
  return found;
}

report::Metrics SuiteWatch::measure_start(const model::Decoder& decoder, const eval::Crew& crew) {
  start_ = evaluate(decoder, crew);
  return metrics_of(start_);
}

report::Metrics SuiteWatch::measure(const model::Decoder& decoder, const eval::Crew& crew) {
  HONE_ASSERT(start_.size() == options_.eval.suite.size(), "the start was not measured");
  now_ = evaluate(decoder, crew);
  return metrics_of(now_);
}

std::string SuiteWatch::changes() const {
  std::string text;
  for (std::size_t i = 0; i < now_.size(); ++i) {
    for (std::size_t m = 0; m < now_[i].tallies.size(); ++m) {
      const eval::Tally &before = start_[i].tallies[m], &after = now_[i].tallies[m];
      const eval::Metric& metric = after.metric();
      const eval::Difference difference = after.difference_to(before);
      text += fmt::format("{}  {:<32}{:>9} -> {:>9}   {} ({} to {}){}", text.empty() ? "" : "\n",
                          fmt::format("{}/{}", now_[i].name, metric.name),
                          eval::figure(metric, before.value()), eval::figure(metric, after.value()),
                          eval::change(metric, difference.value),
                          eval::change(metric, difference.interval.low),
                          eval::change(metric, difference.interval.high),
                          difference.is_worse    ? "  WORSE"
                          : difference.is_better ? "  better"
                                                 : "");
    }
  }
  return text;
}

}  // namespace hone::engine
