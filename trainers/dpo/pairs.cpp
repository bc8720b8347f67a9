#include "trainers/dpo/pairs.h"

#include <algorithm>

#include "base/error.h"

namespace hone::dpo {
namespace {

Tensor chosen_of(const Tensor& values_D) { return values_D.view({-1, 2}).select(1, 0); }
Tensor rejected_of(const Tensor& values_D) { return values_D.view({-1, 2}).select(1, 1); }

/// All that is known of pairs.
constexpr Tensor loss::PairLogps::*kMembers[] = {
    &loss::PairLogps::chosen,        &loss::PairLogps::rejected,
    &loss::PairLogps::ref_chosen,    &loss::PairLogps::ref_rejected,
    &loss::PairLogps::chosen_tokens, &loss::PairLogps::rejected_tokens,
    &loss::PairLogps::margins};

/// Weighed tokens of a document.
std::int64_t response_tokens(const datasets::Batch& batch, std::size_t document) {
  const auto begin = batch.weights.begin() + batch.cu_seqlens[document];
  const auto end = batch.weights.begin() + batch.cu_seqlens[document + 1];
  return std::count_if(begin, end, [](float weight) { return weight > 0; });
}

}  // namespace

loss::PairLogps pair_logps(const Tensor& policy_D, const Tensor& reference_D,
                           const engine::DeviceBatch& batch) {
  const datasets::Batch& rows = *batch.host;
  HONE_ASSERT(rows.documents() == 2 * rows.rows() && std::ssize(rows.values) == rows.rows(),
              "{} documents and {} values of {} pairs", rows.documents(), rows.values.size(),
              rows.rows());
  const Tensor counts = batch.counts_D.to(torch::kFloat32);
  return {.chosen = chosen_of(policy_D),
          .rejected = rejected_of(policy_D),
          .ref_chosen = chosen_of(reference_D),
          .ref_rejected = rejected_of(reference_D),
          .chosen_tokens = chosen_of(counts),
          .rejected_tokens = rejected_of(counts),
          .margins = torch::tensor(rows.values, torch::kFloat32).to(policy_D.device())};
}

loss::PairLogps joined(const std::vector<loss::PairLogps>& parts) {
  loss::PairLogps all;
  for (Tensor loss::PairLogps::*member : kMembers) {
    std::vector<Tensor> tensors;
    for (const loss::PairLogps& part : parts) tensors.push_back(part.*member);
    all.*member = torch::cat(tensors);
  }
  return all;
}

void put(const loss::PairLogps& pairs, eval::Numbers& numbers) {
  for (Tensor loss::PairLogps::*member : kMembers) engine::put(pairs.*member, numbers);
}

loss::PairLogps take_pair_logps(engine::NumbersReader& next) {
  loss::PairLogps pairs;
  for (Tensor loss::PairLogps::*member : kMembers) pairs.*member = next.tensor();
  return pairs;
}

double mean_chosen_tokens(const std::vector<datasets::Batch>& micro_batches) {
  std::int64_t tokens = 0, pairs = 0;
  for (const datasets::Batch& batch : micro_batches) {
    pairs += batch.rows();
    for (std::int64_t pair = 0; pair < batch.rows(); ++pair)
      tokens += response_tokens(batch, static_cast<std::size_t>(2 * pair));
  }
  return static_cast<double>(tokens) / static_cast<double>(pairs);
}

}  // namespace hone::dpo
