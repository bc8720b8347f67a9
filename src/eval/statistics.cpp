#include "eval/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hone::eval {
namespace {

/// At least one row; what is beyond the most would never be collected anyway.
std::int64_t rounded_up(double rows) {
  constexpr double kMost = 1e15;
  return static_cast<std::int64_t>(std::ceil(std::clamp(rows, 1.0, kMost)));
}

/// @param sorted not empty
double quantile(const std::vector<double>& sorted, double p) {
  const double place = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - double(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

Interval wilson(double successes, double n) {
  constexpr double z2 = kTwoSided95 * kTwoSided95;
  const double p = successes / n;
  const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kTwoSided95 / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

Interval percentile_interval(std::vector<double> replicates) {
  std::erase_if(replicates, [](double x) { return std::isnan(x); });
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  if (replicates.empty()) return {kNone, kNone};
  std::sort(replicates.begin(), replicates.end());
  return {quantile(replicates, 0.025), quantile(replicates, 0.975)};
}

Interval paired_share_interval(std::int64_t gained, std::int64_t lost, std::int64_t rows) {
  const double n = double(rows) + 2;
  const double up = double(gained) + 0.5, down = double(lost) + 0.5;
  const double centre = (up - down) / n;
  const double half = kTwoSided95 * std::sqrt(up + down - (up - down) * (up - down) / n) / n;
  return {std::max(-1.0, centre - half), std::min(1.0, centre + half)};
}

double mcnemar_p(std::int64_t gained, std::int64_t lost) {
  const std::int64_t n = gained + lost, least = std::min(gained, lost);
  double tail = 0;
  for (std::int64_t k = 0; k <= least; ++k)
    tail += std::exp(std::lgamma(double(n) + 1) - std::lgamma(double(k) + 1) -
                     std::lgamma(double(n - k) + 1) - double(n) * std::log(2.0));
  return std::min(1.0, 2 * tail);
}

std::int64_t rows_to_tell_shares(double p, double difference) {
  const double other = p + difference <= 1 ? p + difference : p - difference;
  const double mean = (p + other) / 2;
  const double spread = kTwoSided95 * std::sqrt(2 * mean * (1 - mean)) +
                        kPower80 * std::sqrt(p * (1 - p) + other * (1 - other));
  return rounded_up(spread * spread / (difference * difference));
}

std::int64_t rows_to_tell_means(double variance, double difference) {
  const double z = kTwoSided95 + kPower80;
  return rounded_up(2 * z * z * variance / (difference * difference));
}

}  // namespace hone::eval
