#include "eval/tally.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "base/philox.h"

namespace hone::eval {
namespace {

/// A Poisson number with mean 1 from 32 random bits, by inversion.
std::uint8_t poisson(std::uint32_t word) {
  static const std::array<double, 12> below = [] {
    std::array<double, 12> sums{};
    double term = std::exp(-1.0), sum = 0;
    for (std::size_t k = 0; k < sums.size(); term /= double(++k)) sums[k] = sum += term;
    return sums;
  }();
  const double u = (double(word) + 0.5) * 0x1p-32;
  return static_cast<std::uint8_t>(std::ranges::upper_bound(below, u) - below.begin());
}

std::optional<std::int64_t> rows_for_means(double variance, double difference) {
  if (!std::isfinite(variance) || difference == 0) return std::nullopt;
  return rows_to_tell_means(variance, difference);
}

std::span<const double> slice(const std::vector<double>& all, std::size_t i, std::size_t size) {
  return std::span(all).subspan(i * size, size);
}

}  // namespace

RowWeights row_weights(std::uint64_t seed, std::int64_t row) {
  static_assert(kReplicates % 4 == 0);
  RowWeights weights(kReplicates);
  const Philox philox(seed);
  for (std::size_t i = 0; i < kReplicates; i += 4) {
    const auto stream = (static_cast<std::uint64_t>(RandomStream::kBootstrap) << 48) | (i / 4);
    const Philox::Words words = philox(static_cast<std::uint64_t>(row), stream);
    for (std::size_t j = 0; j < 4; ++j) weights[i + j] = poisson(words.w[j]);
  }
  return weights;
}

Tally::Tally(const Metric& metric)
    : metric_(&metric),
      sums_(metric.sums, 0.0),
      replicated_(metric.estimator == Estimator::kShare ? 0 : kReplicates * metric.sums, 0.0) {}

void Tally::add(const Outcome& outcome, const Judge& judge, const RowWeights& weights) {
  std::array<double, kMaxSums> storage{};
  const std::span<double> row = std::span(storage).first(metric_->sums);
  metric_->measure(outcome, judge, row);
  ++rows_;
  for (std::size_t k = 0; k < row.size(); ++k) sums_[k] += row[k];
  if (metric_->estimator == Estimator::kShare) {
    right_.push_back(row[0] != 0);
    return;
  }
  xx_ += row[0] * row[0];
  xw_ += row[0] * row[1];
  ww_ += row[1] * row[1];
  for (std::size_t r = 0; r < kReplicates; ++r)
    for (std::size_t k = 0; k < row.size(); ++k)
      replicated_[r * row.size() + k] += weights[r] * row[k];
}

double Tally::points_of(double difference) const {
  return difference * (metric_->point > 0 ? metric_->point : std::abs(value()) / 100);
}

Estimate Tally::estimate(double difference) const {
  HONE_ASSERT(rows_ > 0, "{}", metric_->name);
  const double points = points_of(difference);
  if (metric_->estimator == Estimator::kShare) return estimate_share(points);
  if (metric_->estimator == Estimator::kRatio) return estimate_ratio(points);
  return estimate_corpus(points);
}

Estimate Tally::estimate_share(double points) const {
  return {value(), wilson(sums_[0], sums_[1]), rows_, rows_to_tell_shares(value(), points)};
}

/// Of the quotient r = Σx / Σw over rows: n/(n−1) · Σ(x − r·w)² / (Σw)². Where every weight is 1
/// that is the square of a mean's standard error.
/// @source Cochran, Sampling Techniques, 3rd ed. (1977), section 2.11
double Tally::ratio_variance() const {
  const double r = sums_[0] / sums_[1], n = double(rows_);
  const double squares = std::max(0.0, xx_ - 2 * r * xw_ + r * r * ww_);
  return n / (n - 1) * squares / (sums_[1] * sums_[1]);
}

Estimate Tally::estimate_ratio(double points) const {
  const double r = sums_[0] / sums_[1];
  const double error = std::sqrt(ratio_variance());  // not finite with a single row
  const auto at = [&](double quotient) {
    const std::array<double, 2> sums{quotient, 1};
    return metric_->value(sums);
  };
  Interval interval{at(r - kTwoSided95 * error), at(r + kTwoSided95 * error)};
  if (metric_->point > 0) interval = {std::max(0.0, interval.low), std::min(1.0, interval.high)};
  // How far the figure moves with the quotient turns the rows' spread into its own.
  const double step = 1e-6 * std::max(1e-6, std::abs(r));
  const double slope = (at(r + step) - at(r - step)) / (2 * step);
  const double row_variance = double(rows_) * slope * slope * error * error;
  return {value(), interval, rows_, rows_for_means(row_variance, points)};
}

Estimate Tally::estimate_corpus(double points) const {
  std::vector<double> all = replicates();
  std::erase_if(all, [](double x) { return std::isnan(x); });
  double mean = 0, squares = 0;
  for (const double x : all) mean += x / double(all.size());
  for (const double x : all) squares += (x - mean) * (x - mean) / double(all.size());
  return {value(), percentile_interval(all), rows_,
          rows_for_means(double(rows_) * squares, points)};
}

std::vector<double> Tally::replicates() const {
  std::vector<double> values;
  for (std::size_t r = 0; r < kReplicates; ++r)
    values.push_back(metric_->value(slice(replicated_, r, metric_->sums)));
  return values;
}

Difference Tally::difference_to(const Tally& other) const {
  HONE_ASSERT(metric_ == other.metric_ && rows_ == other.rows_, "{}: {} and {} rows", metric_->name,
              rows_, other.rows_);
  Difference result{};
  result.value = value() - other.value();
  if (metric_->estimator == Estimator::kShare) {
    std::int64_t gained = 0, lost = 0;
    for (std::size_t i = 0; i < right_.size(); ++i) {
      gained += right_[i] && !other.right_[i];
      lost += !right_[i] && other.right_[i];
    }
    result.interval = paired_share_interval(gained, lost, rows_);
    result.p = mcnemar_p(gained, lost);
  } else {
    std::vector<double> differences = replicates();
    const std::vector<double> theirs = other.replicates();
    for (std::size_t r = 0; r < kReplicates; ++r) differences[r] -= theirs[r];
    result.interval = percentile_interval(std::move(differences));
  }
  const bool is_above = result.interval.low > 0, is_below = result.interval.high < 0;
  result.is_worse = metric_->lower_is_better ? is_above : is_below;
  result.is_better = metric_->lower_is_better ? is_below : is_above;
  return result;
}

}  // namespace hone::eval
