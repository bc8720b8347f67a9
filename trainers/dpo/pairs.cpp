#include "trainers/dpo/pairs.h"

#include <algorithm>

#include "base/error.h"
#include "distributed/exchange.h"

namespace hone::dpo {
namespace {

Tensor chosen_of(const Tensor& values_D) { return values_D.view({-1, 2}).select(1, 0); }
Tensor rejected_of(const Tensor& values_D) { return values_D.view({-1, 2}).select(1, 1); }

/// Weighed tokens of a document.
std::int64_t response_tokens(const datasets::Batch& batch, std::size_t document) {
  const auto begin = batch.weights.begin() + batch.cu_seqlens[document];
  const auto end = batch.weights.begin() + batch.cu_seqlens[document + 1];
  return std::count_if(begin, end, [](float weight) { return weight > 0; });
}

/// What is reported of a batch of pairs, each a number for each pair.
struct PairMetric {
  const char* name;
  Tensor (*of)(const loss::PairLogps& logps, const loss::PairLosses& losses);  ///< [P]
};

constexpr PairMetric kMetrics[] = {
    {"rewards/chosen", [](const auto&, const auto& losses) { return losses.chosen_rewards; }},
    {"rewards/rejected", [](const auto&, const auto& losses) { return losses.rejected_rewards; }},
    {"rewards/margins",
     [](const auto&, const auto& losses) {
       return losses.chosen_rewards - losses.rejected_rewards;
     }},
    {"rewards/accuracies",
     [](const auto&, const auto& losses) {
       return (losses.chosen_rewards > losses.rejected_rewards).to(torch::kFloat32);
     }},
    {"logps/chosen", [](const auto& logps, const auto&) { return logps.chosen; }},
    {"logps/rejected", [](const auto& logps, const auto&) { return logps.rejected; }},
    {"kl",
     [](const auto& logps, const auto&) {
       return (logps.chosen - logps.ref_chosen + logps.rejected - logps.ref_rejected) / 2;
     }},
    {"drift",
     [](const auto& logps, const auto&) {
       return ((logps.chosen - logps.ref_chosen).abs() / logps.chosen_tokens +
               (logps.rejected - logps.ref_rejected).abs() / logps.rejected_tokens) /
              2;
     }},
    {"margin_per_token",
     [](const auto& logps, const auto&) {
       return (logps.chosen - logps.ref_chosen) / logps.chosen_tokens -
              (logps.rejected - logps.ref_rejected) / logps.rejected_tokens;
     }},
};

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
  const auto all = [&](Tensor loss::PairLogps::*member) {
    std::vector<Tensor> tensors;
    for (const loss::PairLogps& part : parts) tensors.push_back(part.*member);
    return torch::cat(tensors);
  };
  using L = loss::PairLogps;
  return {.chosen = all(&L::chosen),
          .rejected = all(&L::rejected),
          .ref_chosen = all(&L::ref_chosen),
          .ref_rejected = all(&L::ref_rejected),
          .chosen_tokens = all(&L::chosen_tokens),
          .rejected_tokens = all(&L::rejected_tokens),
          .margins = all(&L::margins)};
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

void PairTally::add(const loss::PairLogps& logps, const loss::PairLosses& losses) {
  const torch::NoGradGuard no_grad;
  sums_.resize(std::size(kMetrics));
  for (std::size_t i = 0; i < std::size(kMetrics); ++i)
    sums_[i] += kMetrics[i].of(logps, losses).sum(torch::kFloat64).item<double>();
  pairs_ += static_cast<double>(logps.ref_chosen.size(0));
}

void PairTally::sum_over(const distributed::Group& group) {
  sums_.resize(std::size(kMetrics));
  sums_.push_back(pairs_);
  distributed::sum_numbers(group, sums_, "the pairs' metrics");
  pairs_ = sums_.back();
  sums_.pop_back();
}

report::Metrics PairTally::metrics(const std::string& prefix) const {
  report::Metrics metrics;
  for (std::size_t i = 0; i < sums_.size(); ++i)
    metrics.emplace_back(prefix + kMetrics[i].name, sums_[i] / pairs_);
  return metrics;
}

}  // namespace hone::dpo
