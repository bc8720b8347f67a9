#include "engine/document_logps.h"

#include <array>
#include <vector>

#include "distributed/exchange.h"
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
  const model::TokenLogps tokens =
      model::token_logps_and_entropy(decoder, hidden, batch.rows_M, batch.targets_M);
  return {tokens.logps_M, sums_by_document(tokens.logps_M * batch.weights_M, batch),
          tokens.entropy_M, hidden};
}

void EntropyTally::add(const Tensor& entropy_M) {
  sum_ += entropy_M.sum(torch::kFloat64).item<double>();
  tokens_ += static_cast<double>(entropy_M.size(0));
}

void EntropyTally::sum_over(const distributed::Group& group) {
  std::array numbers = {sum_, tokens_};
  distributed::sum_numbers(group, numbers, "the entropy");
  sum_ = numbers[0];
  tokens_ = numbers[1];
}

Tensor log_sum_squares(const model::Decoder& decoder, const Tensor& hidden_NH,
                       const DeviceBatch& batch) {
  const torch::NoGradGuard no_grad;
  std::vector<Tensor> chunks;
  for (const Tensor& rows_of_chunk : batch.rows_M.split(kRowsAtOnce)) {
    const Tensor rows = hidden_NH.index_select(0, rows_of_chunk);
    const Tensor logps = torch::log_softmax(model::logits(decoder, rows), -1);
    chunks.push_back(torch::logsumexp(logps * 2, -1));
  }
  return torch::cat(chunks);
}

}  // namespace hone::engine
