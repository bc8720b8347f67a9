#pragma once

#include <functional>
#include <vector>

#include "datasets/batch.h"
#include "datasets/dataset.h"
#include "engine/session.h"
#include "eval/evaluate.h"
#include "model/decoder.h"
#include "report/metrics_log.h"

namespace hone::engine {

using torch::Tensor;

/// What metrics.jsonl and `hone eval` call the loss over data.eval: eval_loss (nats a token,
/// weighted), eval_perplexity, eval_tokens, eval_trained_tokens.
/// @param found holds the metrics loss and perplexity, or not
report::Metrics loss_metrics(const eval::Evaluation& found);

/// The same, measured over the whole of a data set.
/// @throws DataError where no token of it is trained on
report::Metrics evaluate_loss(const model::Decoder& decoder, const datasets::Dataset& data,
                              std::int64_t tokens_per_batch, const eval::Crew& crew = {});

/// The ranks of a run, as they measure its model together.
eval::Crew crew_of(const Session& session);

/// Measures the batches of data.eval, in their order, each on one rank.
/// @param measure gives what is found of a batch; without gradient
/// @return of each batch, on all ranks
/// @throws Interrupted, of several ranks on all
std::vector<eval::Numbers> measure_eval_batches(
    const Session& session, const std::function<eval::Numbers(const datasets::Batch&)>& measure);

/// Tensors among numbers. fp32 comes back as it was.
void put(const Tensor& tensor, eval::Numbers& numbers);

/// Takes out what put() put in, in the same order.
class NumbersReader {
 public:
  explicit NumbersReader(const eval::Numbers& numbers) : numbers_(numbers) {}

  double number() { return numbers_[next_++]; }
  /// [n] f32, on the CPU.
  Tensor tensor();
  bool is_at_end() const { return next_ == numbers_.size(); }

 private:
  const eval::Numbers& numbers_;
  std::size_t next_ = 0;
};

}  // namespace hone::engine
