#include "engine/document_logps.h"

#include <algorithm>
#include <vector>

#include "model/head.h"

namespace hone::engine {
namespace {

constexpr std::int64_t kRowsAtOnce = 256;

}  // namespace

Tensor sums_by_document(const Tensor& values_M, const DeviceBatch& batch) {
  return torch::segment_reduce(values_M, "sum", batch.counts_D, {}, {}, /*axis=*/0,
                               /*unsafe=*/true, /*initial=*/0.0);
}

ResponseLogps response_logps(const model::Decoder& decoder, const DeviceBatch& batch) {
  const Tensor hidden = model::hidden_states(decoder, batch.tokens);
  const Tensor logps = model::token_logps(decoder, hidden, batch.rows_M, batch.targets_M);
  return {logps, sums_by_document(logps * batch.weights_M, batch), hidden};
}

TokenSpread token_spread(const model::Decoder& decoder, const Tensor& hidden_NH,
                         const DeviceBatch& batch) {
  const torch::NoGradGuard no_grad;
  std::vector<Tensor> log_sum_squares, entropies;
  for (std::int64_t begin = 0; begin < batch.rows_M.size(0); begin += kRowsAtOnce) {
    const std::int64_t end = std::min(begin + kRowsAtOnce, batch.rows_M.size(0));
    const Tensor rows = hidden_NH.index_select(0, batch.rows_M.slice(0, begin, end));
    const Tensor logps = torch::log_softmax(model::logits(decoder, rows), -1);
    log_sum_squares.push_back(torch::logsumexp(logps * 2, -1));
    entropies.push_back(-(logps.exp() * logps).sum(-1));
  }
  return {torch::cat(log_sum_squares), torch::cat(entropies)};
}

}  // namespace hone::engine
