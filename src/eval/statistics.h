#pragma once

#include <cstdint>
#include <vector>

namespace hone::eval {

/// An interval that holds the true figure in 95 % of repetitions.
struct Interval {
  double low, high;
};

/// The normal distribution's 97.5 % and 80 % quantiles: two sides of 5 %, and the power of a test.
inline constexpr double kTwoSided95 = 1.959963984540054;
inline constexpr double kPower80 = 0.8416212335729143;

/// Of a share of n rows. Unlike ±1.96 standard errors it stays inside [0, 1] and is not empty where
/// all rows agree.
/// @source Wilson, JASA 22 (1927), 209–212
Interval wilson(double successes, double n);

/// The 2.5 % and 97.5 % quantiles of replicates, values between two of them interpolated. Those
/// that are no number are left out; with none left both ends are NaN.
Interval percentile_interval(std::vector<double> replicates);

/// Of the difference of two shares over the same rows.
/// @param gained rows that only the first has right
/// @param lost   rows that only the second has right
/// @return of (gained − lost) / rows
/// @source Agresti and Min, Statistics in Medicine 24 (2005), 729–740: half a row is added to each
///         of the four cells
Interval paired_share_interval(std::int64_t gained, std::int64_t lost, std::int64_t rows);

/// Probability of a split at least as uneven as gained : lost where either is as likely.
/// @source McNemar, Psychometrika 12 (1947), 153–157, in its exact form
double mcnemar_p(std::int64_t gained, std::int64_t lost);

/// Rows of each of two samples with which two shares, `p` and one `difference` away, are told apart
/// with 80 % power at a two-sided level of 5 %.
/// @source Fleiss, Statistical Methods for Rates and Proportions, 2nd ed. (1981), section 3.1
std::int64_t rows_to_tell_shares(double p, double difference);

/// The same for two means of rows with this variance.
std::int64_t rows_to_tell_means(double variance, double difference);

}  // namespace hone::eval
