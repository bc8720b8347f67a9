#pragma once

#include <torch/types.h>

#include "datasets/dataset.h"
#include "engine/options.h"
#include "model/decoder.h"
#include "report/metrics_log.h"

namespace hone::engine {

/// Mean loss over the trained tokens of a whole data set, in file order.
/// @return eval_loss (nats a token, weighted), eval_perplexity, eval_tokens, eval_trained_tokens
/// @throws DataError where no token of it is trained on
report::Metrics evaluate_loss(const model::Decoder& decoder, const datasets::Dataset& data,
                              std::int64_t tokens_per_batch);

}  // namespace hone::engine
