#include "trainers/reward/judgements.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "distributed/exchange.h"

namespace hone::reward {
namespace {

double mean(const std::vector<double>& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

double share(const std::vector<bool>& x) {
  return static_cast<double>(std::ranges::count(x, true)) / static_cast<double>(x.size());
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

void append(const Tensor& tensor, std::vector<double>& to) {
  const Tensor values = tensor.detach().to(torch::kCPU, torch::kFloat64).contiguous();
  const double* v = values.const_data_ptr<double>();
  to.insert(to.end(), v, v + values.numel());
}

/// Chosen less rejected, of numbers that stand in pairs.
std::vector<double> differences(const std::vector<double>& x) {
  std::vector<double> result;
  for (std::size_t i = 0; i + 1 < x.size(); i += 2) result.push_back(x[i] - x[i + 1]);
  return result;
}

/// Σ xy / √(Σ x² Σ y²): the correlation of differences, whichever way round each of them is taken.
double cosine(const std::vector<double>& x, const std::vector<double>& y) {
  const auto dot = [](const auto& a, const auto& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  };
  const double size = std::sqrt(dot(x, x) * dot(y, y));
  return size > 0 ? dot(x, y) / size : 0;
}

/// A yes or no in which `margin` above 0 is right: the more, the surer.
double calibration_of(const std::vector<double>& margins) {
  std::vector<double> confidences;
  std::vector<bool> is_right;
  for (const double margin : margins) {
    confidences.push_back(sigmoid(std::abs(margin)));
    is_right.push_back(margin > 0);
  }
  return calibration_error(confidences, is_right);
}

/// A step's output on the side of its label.
std::vector<double> step_margins(const Judgements& judgements) {
  std::vector<double> margins;
  for (std::size_t i = 0; i < judgements.outputs.size(); ++i)
    margins.push_back(judgements.values[i] > 0.5 ? judgements.outputs[i] : -judgements.outputs[i]);
  return margins;
}

std::vector<bool> positive(const std::vector<double>& x) {
  std::vector<bool> result;
  for (const double value : x) result.push_back(value > 0);
  return result;
}

}  // namespace

void Judgements::add(const Tensor& outputs_MA, const engine::DeviceBatch& batch) {
  append(outputs_MA, outputs);
  values.insert(values.end(), batch.host->values.begin(), batch.host->values.end());
  append(batch.counts_D, lengths);
}

void Judgements::gather(const distributed::Group& group) {
  for (std::vector<double>* numbers : {&outputs, &values, &lengths})
    *numbers = distributed::gather_numbers(group, *numbers, "the judgements");
}

void put(const Judgements& judgements, eval::Numbers& numbers) {
  for (const std::vector<double>* list :
       {&judgements.outputs, &judgements.values, &judgements.lengths}) {
    numbers.push_back(static_cast<double>(list->size()));
    numbers.insert(numbers.end(), list->begin(), list->end());
  }
}

void take_more(engine::NumbersReader& next, Judgements& judgements) {
  for (std::vector<double>* list : {&judgements.outputs, &judgements.values, &judgements.lengths})
    for (auto left = static_cast<std::size_t>(next.number()); left > 0; --left)
      list->push_back(next.number());
}

double calibration_error(const std::vector<double>& confidences,
                         const std::vector<bool>& is_right) {
  constexpr std::size_t kBins = 10;
  struct Bin {
    double confidence = 0, right = 0;
  };
  std::array<Bin, kBins> bins;
  for (std::size_t i = 0; i < confidences.size(); ++i) {
    Bin& bin = bins[std::min(kBins - 1, static_cast<std::size_t>(confidences[i] * kBins))];
    bin.confidence += confidences[i];
    bin.right += is_right[i] ? 1 : 0;
  }
  double error = 0;
  for (const Bin& bin : bins) error += std::abs(bin.right - bin.confidence);
  return error / static_cast<double>(confidences.size());
}

double correlation(const std::vector<double>& x, const std::vector<double>& y) {
  const auto centred = [](std::vector<double> values) {
    const double centre = mean(values);
    for (double& value : values) value -= centre;
    return values;
  };
  return cosine(centred(x), centred(y));
}

report::Metrics score_metrics(const Judgements& judgements) {
  const auto [low, high] = std::ranges::minmax(judgements.outputs);
  return {{"mean_reward", mean(judgements.outputs)}, {"min_reward", low}, {"max_reward", high}};
}

report::Metrics pair_metrics(const Judgements& judgements) {
  const std::vector<double> margins = differences(judgements.outputs);
  report::Metrics metrics = {{"accuracy", share(positive(margins))}, {"margin", mean(margins)}};
  const report::Metrics rewards = score_metrics(judgements);
  metrics.insert(metrics.end(), rewards.begin(), rewards.end());
  return metrics;
}

report::Metrics pair_evaluation(const Judgements& judgements) {
  const std::vector<double> margins = differences(judgements.outputs);
  const std::vector<double> longer = differences(judgements.lengths);
  report::Metrics metrics = pair_metrics(judgements);
  metrics.emplace_back("calibration_error", calibration_of(margins));
  metrics.emplace_back("length_correlation", cosine(margins, longer));
  metrics.emplace_back("longer_is_chosen", share(positive(longer)));
  return metrics;
}

report::Metrics score_evaluation(const Judgements& judgements) {
  std::vector<double> outputs, values, lengths;
  const std::size_t attributes = judgements.outputs.size() / judgements.lengths.size();
  for (std::size_t i = 0; i < judgements.outputs.size(); ++i) {
    if (std::isnan(judgements.values[i])) continue;  // a row may lack an attribute
    outputs.push_back(judgements.outputs[i]);
    values.push_back(judgements.values[i]);
    lengths.push_back(judgements.lengths[i / attributes]);
  }
  report::Metrics metrics = score_metrics(judgements);
  metrics.emplace_back("correlation", correlation(outputs, values));
  metrics.emplace_back("length_correlation", correlation(outputs, lengths));
  return metrics;
}

report::Metrics step_metrics(const Judgements& judgements) {
  return {{"accuracy", share(positive(step_margins(judgements)))}};
}

report::Metrics step_evaluation(const Judgements& judgements) {
  report::Metrics metrics = step_metrics(judgements);
  metrics.emplace_back("calibration_error", calibration_of(step_margins(judgements)));
  return metrics;
}

}  // namespace hone::reward
