#include "engine/pair_tally.h"

#include <algorithm>
#include <iterator>

#include "distributed/exchange.h"

namespace hone::engine {
namespace {

using torch::Tensor;

/// What is reported of a batch of pairs, each a number for each pair.
struct PairMetric {
  const char* name;
  bool needs_reference;
  Tensor (*of)(const loss::PairLogps& logps, const loss::PairLosses& losses);  ///< [P]
};

constexpr PairMetric kMetrics[] = {
    {"rewards/chosen", false,
     [](const auto&, const auto& losses) { return losses.chosen_rewards; }},
    {"rewards/rejected", false,
     [](const auto&, const auto& losses) { return losses.rejected_rewards; }},
    {"rewards/margins", false,
     [](const auto&, const auto& losses) {
       return losses.chosen_rewards - losses.rejected_rewards;
     }},
    {"rewards/accuracies", false,
     [](const auto&, const auto& losses) {
       return (losses.chosen_rewards > losses.rejected_rewards).to(torch::kFloat32);
     }},
    {"logps/chosen", false, [](const auto& logps, const auto&) { return logps.chosen; }},
    {"logps/rejected", false, [](const auto& logps, const auto&) { return logps.rejected; }},
    {"kl", true,
     [](const auto& logps, const auto&) {
       return (logps.chosen - logps.ref_chosen + logps.rejected - logps.ref_rejected) / 2;
     }},
    {"drift", true,
     [](const auto& logps, const auto&) {
       return ((logps.chosen - logps.ref_chosen).abs() / logps.chosen_tokens +
               (logps.rejected - logps.ref_rejected).abs() / logps.rejected_tokens) /
              2;
     }},
    {"margin_per_token", true,
     [](const auto& logps, const auto&) {
       return (logps.chosen - logps.ref_chosen) / logps.chosen_tokens -
              (logps.rejected - logps.ref_rejected) / logps.rejected_tokens;
     }},
};

static_assert(std::size(kMetrics) == PairTally::kMetricCount);

}  // namespace

void PairTally::add(const loss::PairLogps& logps, const loss::PairLosses& losses) {
  const torch::NoGradGuard no_grad;
  const auto pairs = static_cast<double>(logps.chosen.size(0));
  const bool has_reference = logps.ref_chosen.defined();
  pairs_ += pairs;
  if (has_reference) compared_ += pairs;
  for (std::size_t i = 0; i < std::size(kMetrics); ++i)
    if (has_reference || !kMetrics[i].needs_reference)
      sums_[i] += kMetrics[i].of(logps, losses).sum(torch::kFloat64).item<double>();
}

void PairTally::sum_over(const distributed::Group& group) {
  std::vector<double> numbers(sums_.begin(), sums_.end());
  numbers.insert(numbers.end(), {pairs_, compared_});
  distributed::sum_numbers(group, numbers, "the pairs' metrics");
  std::copy_n(numbers.begin(), sums_.size(), sums_.begin());
  pairs_ = numbers[sums_.size()];
  compared_ = numbers.back();
}

report::Metrics PairTally::metrics(const std::string& prefix) const {
  report::Metrics metrics;
  for (std::size_t i = 0; i < std::size(kMetrics); ++i)
    if (compared_ > 0 || !kMetrics[i].needs_reference)
      metrics.emplace_back(prefix + kMetrics[i].name, sums_[i] / pairs_);
  return metrics;
}

}  // namespace hone::engine
