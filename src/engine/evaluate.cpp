#include "engine/evaluate.h"

namespace hone::engine {

report::Metrics loss_metrics(const eval::Evaluation& found) {
  report::Metrics metrics;
  for (const char* name : {"loss", "perplexity"})
    if (const eval::Tally* tally = found.find(name))
      metrics.emplace_back(std::string("eval_") + name, tally->value());
  if (found.trained_tokens > 0) {
    metrics.emplace_back("eval_tokens", found.tokens);
    metrics.emplace_back("eval_trained_tokens", found.trained_tokens);
  }
  return metrics;
}

report::Metrics evaluate_loss(const model::Decoder& decoder, const datasets::Dataset& data,
                              std::int64_t tokens_per_batch) {
  return loss_metrics(eval::evaluate_loss(decoder, data, tokens_per_batch));
}

}  // namespace hone::engine
