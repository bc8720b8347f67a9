#include "engine/evaluate.h"

#include <cmath>

#include "base/error.h"
#include "datasets/step_feed.h"
#include "engine/batch.h"
#include "loss/cross_entropy.h"
#include "model/head.h"

namespace hone::engine {

report::Metrics evaluate_loss(const model::Decoder& decoder, const datasets::Dataset& data,
                              std::int64_t tokens_per_batch) {
  const torch::NoGradGuard no_grad;
  const double total_weight = data.totals().weight;
  HONE_CHECK(DataError, total_weight > 0, "data.eval: no token of it carries weight");
  std::vector<std::int64_t> lengths = data.lengths();
  auto order = datasets::RowOrder::plain(std::ssize(lengths), 0, false);
  const datasets::Sampler sampler(std::move(lengths), std::move(order),
                                  {.tokens_per_batch = tokens_per_batch});
  double loss = 0;
  std::int64_t trained_tokens = 0;
  const std::int64_t steps = sampler.steps_per_epoch(0);
  datasets::StepFeed feed(data, sampler, steps);
  for (std::int64_t i = 0; i < steps; ++i) {
    const datasets::Batch batch = feed.step(i).micro_batches.front();
    const DeviceBatch on_device = to_device(batch, decoder.device());
    const Tensor hidden = model::hidden_states(decoder, on_device.tokens);
    const Tensor logps = model::token_logps(decoder, hidden, on_device.rows_M, on_device.targets_M);
    loss += loss::weighted_nll(logps, on_device.weights_M, total_weight).item<double>();
    trained_tokens += on_device.rows_M.size(0);
  }
  return {{"eval_loss", loss},
          {"eval_perplexity", std::exp(loss)},
          {"eval_tokens", data.totals().tokens},
          {"eval_trained_tokens", trained_tokens}};
}

}  // namespace hone::engine
