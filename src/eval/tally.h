#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "eval/metric.h"
#include "eval/statistics.h"

namespace hone::eval {

/// Replicates of a bootstrap.
inline constexpr std::size_t kReplicates = 1000;

/// How often a row stands in each replicate of a bootstrap over rows that come one after the other:
/// numbers of a Poisson distribution with mean 1, a function of seed and row. So nothing of the
/// rows is kept, and two models that are measured on the same rows are resampled alike.
/// @source Chamandy et al., "Estimating uncertainty for massive data streams" (Google, 2012)
using RowWeights = std::vector<std::uint8_t>;  ///< [kReplicates]
RowWeights row_weights(std::uint64_t seed, std::int64_t row);

/// A figure of some rows.
struct Estimate {
  double value;
  Interval interval;  ///< 95 %; NaN where a single row says nothing of the spread
  std::int64_t rows;  ///< it is made of
  /// Rows that would tell a difference of the size asked for.
  std::optional<std::int64_t> rows_for;
};

/// A figure beside another one of the same rows.
struct Difference {
  double value;  ///< this one − the other
  Interval interval;
  std::optional<double> p;   ///< shares: McNemar's exact test
  bool is_worse, is_better;  ///< the whole interval is on one side of 0
};

/// One metric over rows, in constant memory but for one bit a row of a share.
class Tally {
 public:
  explicit Tally(const Metric& metric);

  void add(const Outcome& outcome, const Judge& judge, const RowWeights& weights);

  const Metric& metric() const { return *metric_; }
  std::int64_t rows() const { return rows_; }

  /// The figure alone. @pre there are rows
  double value() const { return metric_->value(sums_); }

  /// @param difference points that `rows_for` is about
  /// @pre there are rows
  Estimate estimate(double difference) const;

  /// @param other of the same metric over the same rows, with the same weights
  Difference difference_to(const Tally& other) const;

 private:
  std::vector<double> replicates() const;
  double ratio_variance() const;
  Estimate estimate_share(double points) const;
  Estimate estimate_ratio(double points) const;
  Estimate estimate_corpus(double points) const;
  double points_of(double difference) const;

  const Metric* metric_;
  std::int64_t rows_ = 0;
  std::vector<double> sums_;         ///< [sums]
  std::vector<double> replicated_;   ///< [kReplicates, sums]; none of a share
  std::vector<bool> right_;          ///< [rows] of a share
  double xx_ = 0, xw_ = 0, ww_ = 0;  ///< sums of squares and products of a ratio
};

}  // namespace hone::eval
