#pragma once

#include "datasets/dataset.h"
#include "eval/evaluate.h"
#include "model/decoder.h"
#include "report/metrics_log.h"

namespace hone::engine {

/// What metrics.jsonl and `hone eval` call the loss over data.eval: eval_loss (nats a token,
/// weighted), eval_perplexity, eval_tokens, eval_trained_tokens.
/// @param found holds the metrics loss and perplexity, or not
report::Metrics loss_metrics(const eval::Evaluation& found);

/// The same, measured over the whole of a data set.
/// @throws DataError where no token of it is trained on
report::Metrics evaluate_loss(const model::Decoder& decoder, const datasets::Dataset& data,
                              std::int64_t tokens_per_batch);

}  // namespace hone::engine
