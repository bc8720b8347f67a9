#include "datasets/audit/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace hone::datasets::audit {
namespace {

constexpr std::int64_t kBins = 30;

std::int64_t quantile(const std::vector<std::int64_t>& ascending, double share) {
  const auto n = static_cast<double>(ascending.size());
  const auto place = static_cast<std::size_t>(std::max(0.0, std::ceil(share * n) - 1));
  return ascending[std::min(place, ascending.size() - 1)];
}

double log_choose(std::int64_t n, std::int64_t k) {
  return std::lgamma(double(n) + 1) - std::lgamma(double(k) + 1) - std::lgamma(double(n - k) + 1);
}

}  // namespace

Distribution describe(std::string name, std::vector<std::int64_t> values) {
  Distribution d;
  d.name = std::move(name);
  d.count = std::ssize(values);
  if (values.empty()) return d;
  std::sort(values.begin(), values.end());
  d.least = values.front();
  d.most = values.back();
  d.mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(d.count);
  d.p05 = quantile(values, 0.05);
  d.p25 = quantile(values, 0.25);
  d.median = quantile(values, 0.5);
  d.p75 = quantile(values, 0.75);
  d.p95 = quantile(values, 0.95);
  d.p99 = quantile(values, 0.99);
  d.bin_width = std::max<std::int64_t>(1, (d.p99 - d.least + kBins) / kBins);
  d.bins.assign(static_cast<std::size_t>(std::min(kBins, (d.most - d.least) / d.bin_width + 1)), 0);
  for (const std::int64_t value : values) {
    const auto bin = static_cast<std::size_t>((value - d.least) / d.bin_width);
    ++d.bins[std::min(bin, d.bins.size() - 1)];
  }
  return d;
}

double PairLengths::share() const {
  return decided() == 0 ? 0.5 : static_cast<double>(chosen_longer) / static_cast<double>(decided());
}

std::pair<double, double> PairLengths::interval() const {
  if (decided() == 0) return {0, 1};
  constexpr double z = 1.959964;  // of 95 %
  const auto n = static_cast<double>(decided());
  const double middle = (share() + z * z / (2 * n)) / (1 + z * z / n);
  const double half =
      z / (1 + z * z / n) * std::sqrt(share() * (1 - share()) / n + z * z / (4 * n * n));
  return {middle - half, middle + half};
}

double PairLengths::sign_test() const {
  const std::int64_t n = decided(), fewer = std::min(chosen_longer, rejected_longer);
  double tail = 0;
  for (std::int64_t k = 0; k <= fewer; ++k)
    tail += std::exp(log_choose(n, k) - static_cast<double>(n) * std::log(2.0));
  return std::min(1.0, 2 * tail);
}

PairLengths pair_lengths(const Corpus& corpus, const std::vector<bool>& alive) {
  PairLengths lengths;
  for (std::size_t row = 0; row < corpus.rows.size(); ++row) {
    const RowFacts& facts = corpus.rows[row];
    if (!alive[row] || !facts.is_readable || facts.kind != RecordKind::kPreference) continue;
    if (facts.keys.rejected == 0) continue;
    lengths.chosen_longer += facts.response_size > facts.rejected_size;
    lengths.rejected_longer += facts.response_size < facts.rejected_size;
    lengths.equal += facts.response_size == facts.rejected_size;
  }
  return lengths;
}

std::vector<Distribution> distributions(const Corpus& corpus) {
  struct Measure {
    const char* name;
    bool needs_tokens;
    std::int64_t (*value)(const RowFacts&);
  };
  constexpr Measure kMeasures[] = {
      {"tokens", true, [](const RowFacts& f) -> std::int64_t { return f.tokens; }},
      {"prompt_tokens", true, [](const RowFacts& f) -> std::int64_t { return f.prompt_tokens; }},
      {"answer_tokens", true, [](const RowFacts& f) -> std::int64_t { return f.answer_tokens; }},
      {"characters", false, [](const RowFacts& f) -> std::int64_t { return f.characters; }},
      {"texts", false, [](const RowFacts& f) -> std::int64_t { return f.texts; }},
  };
  std::vector<Distribution> all;
  for (const Measure& measure : kMeasures) {
    if (measure.needs_tokens && !corpus.has_tokens) continue;
    std::vector<std::int64_t> values;
    for (const RowFacts& facts : corpus.rows)
      if (facts.is_readable) values.push_back(measure.value(facts));
    all.push_back(describe(measure.name, std::move(values)));
  }
  return all;
}

}  // namespace hone::datasets::audit
