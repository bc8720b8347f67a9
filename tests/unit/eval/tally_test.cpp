#include "eval/tally.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/philox.h"

namespace hone::eval {
namespace {

const Judge kJudge;

Outcome tokens(double loss, double weight) {
  return TokenOutcome{.loss = loss, .weight = weight, .nats = loss, .tokens = 1, .bytes = 2};
}
Outcome answer(bool right) {
  return AnswerOutcome{.expected = "yes", .given = right ? " yes\n" : "no", .stopped = true};
}

/// One metric over rows, with the weights that an evaluation would take.
Tally tally_of(const char* metric, const std::vector<Outcome>& outcomes) {
  Tally tally(metric_named(metric));
  for (std::size_t row = 0; row < outcomes.size(); ++row)
    tally.add(outcomes[row], kJudge, row_weights(5, std::int64_t(row)));
  return tally;
}

/// Normal numbers, from two uniform ones each (Box and Muller).
double normal(std::uint64_t i) {
  const Philox::Words words = Philox(99)(i, 1234);
  const double u = (double(words.w[0]) + 0.5) * 0x1p-32, v = double(words.w[1]) * 0x1p-32;
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * v);
}

TEST(RowWeights, ArePoissonWithMeanOneAndAFunctionOfSeedAndRow) {
  std::vector<double> counts(6, 0);
  double sum = 0;
  constexpr int kRows = 200;
  for (int row = 0; row < kRows; ++row) {
    const RowWeights weights = row_weights(3, row);
    EXPECT_EQ(weights, row_weights(3, row));
    for (const std::uint8_t weight : weights) {
      sum += weight;
      if (weight < counts.size()) ++counts[weight];
    }
  }
  const double n = double(kRows) * double(kReplicates);
  EXPECT_NEAR(sum / n, 1, 4 / std::sqrt(n));
  double expected = std::exp(-1.0);  // e⁻¹ / k!
  for (std::size_t k = 0; k < counts.size(); expected /= double(++k))
    EXPECT_NEAR(counts[k] / n, expected, 4 * std::sqrt(expected / n)) << k;
  EXPECT_NE(row_weights(3, 0), row_weights(3, 1));
  EXPECT_NE(row_weights(3, 0), row_weights(4, 0));
}

TEST(Tally, OfAShareIsWilsons) {
  const Tally tally =
      tally_of("exact_match", {answer(true), answer(false), answer(true), answer(true)});
  const Estimate estimate = tally.estimate(2);
  EXPECT_DOUBLE_EQ(estimate.value, 0.75);
  EXPECT_DOUBLE_EQ(estimate.interval.low, wilson(3, 4).low);
  EXPECT_DOUBLE_EQ(estimate.interval.high, wilson(3, 4).high);
  EXPECT_EQ(estimate.rows_for, rows_to_tell_shares(0.75, 0.02));
}

TEST(Tally, OfAMeanIsPlusMinusStandardErrorsOverRows) {
  // Documents of equal weight: the ratio is the mean, its error s / √n.
  const std::vector<double> losses = {2, 4, 9, 1, 4};
  std::vector<Outcome> outcomes;
  for (const double loss : losses) outcomes.push_back(tokens(loss, 1));
  const double mean = 4, variance = (4 + 0 + 25 + 9 + 0) / 4.0, error = std::sqrt(variance / 5);
  const Estimate estimate = tally_of("loss", outcomes).estimate(1);
  EXPECT_DOUBLE_EQ(estimate.value, mean);
  EXPECT_NEAR(estimate.interval.low, mean - kTwoSided95 * error, 1e-12);
  EXPECT_NEAR(estimate.interval.high, mean + kTwoSided95 * error, 1e-12);
  // A point of a loss is 1 % of it.
  EXPECT_EQ(estimate.rows_for, rows_to_tell_means(variance, 0.04));
  const Estimate perplexity = tally_of("perplexity", outcomes).estimate(1);
  EXPECT_DOUBLE_EQ(perplexity.value, std::exp(mean));
  EXPECT_NEAR(perplexity.interval.high, std::exp(mean + kTwoSided95 * error), 1e-9);
}

TEST(Tally, OfTokensTakesDocumentsAsTheSampleNotTokens) {
  // Ten documents, each of which is all right or all wrong, with 100 tokens: the interval is that
  // of ten rows, whatever the tokens.
  std::vector<Outcome> outcomes;
  for (int i = 0; i < 10; ++i)
    outcomes.push_back(TokenOutcome{.tokens = 100, .correct = i % 2 == 0 ? 100 : 0});
  const Estimate estimate = tally_of("token_accuracy", outcomes).estimate(2);
  EXPECT_DOUBLE_EQ(estimate.value, 0.5);
  EXPECT_NEAR(estimate.interval.high - 0.5, kTwoSided95 * std::sqrt(0.25 * 10 / 9 / 10), 1e-12);
}

TEST(Tally, TheLossIsWeighedByTokensAndBitsByBytes) {
  const std::vector<Outcome> outcomes = {tokens(6, 2), tokens(3, 4)};
  EXPECT_DOUBLE_EQ(tally_of("loss", outcomes).value(), 9.0 / 6);
  EXPECT_DOUBLE_EQ(tally_of("bits_per_byte", outcomes).value(), 9 / std::log(2.0) / 4);
}

TEST(Difference, OfSharesIsMcNemars) {
  std::vector<Outcome> now, base;
  // 12 gained, 3 lost, 20 right in both, 5 in none.
  for (const auto& [count, of_now, of_base] :
       {std::tuple{12, true, false}, {3, false, true}, {20, true, true}, {5, false, false}})
    for (int i = 0; i < count; ++i) {
      now.push_back(answer(of_now));
      base.push_back(answer(of_base));
    }
  const Difference difference =
      tally_of("exact_match", now).difference_to(tally_of("exact_match", base));
  EXPECT_NEAR(difference.value, 9.0 / 40, 1e-12);
  EXPECT_DOUBLE_EQ(*difference.p, mcnemar_p(12, 3));
  EXPECT_DOUBLE_EQ(difference.interval.low, paired_share_interval(12, 3, 40).low);
  EXPECT_TRUE(difference.is_better);
  const Difference back = tally_of("exact_match", base).difference_to(tally_of("exact_match", now));
  EXPECT_TRUE(back.is_worse && !back.is_better);
}

TEST(Difference, IsPairedSoThatWhatRowsHaveInCommonDoesNotBlurIt) {
  // Rows differ by 3 from each other, the models by 0.1 ± 0.05 on each of them.
  constexpr int kRows = 200;
  std::vector<Outcome> now, base;
  for (std::uint64_t i = 0; i < kRows; ++i) {
    const double row = 10 + 3 * normal(2 * i);
    base.push_back(tokens(row, 1));
    now.push_back(tokens(row + 0.1 + 0.05 * normal(2 * i + 1), 1));
  }
  const Tally a = tally_of("loss", now), b = tally_of("loss", base);
  const Difference difference = a.difference_to(b);
  EXPECT_TRUE(difference.is_worse) << "a higher loss is worse";
  EXPECT_FALSE(difference.p);
  const double half = (difference.interval.high - difference.interval.low) / 2;
  EXPECT_NEAR(half, kTwoSided95 * 0.05 / std::sqrt(kRows), 0.002);
  EXPECT_GT(a.estimate(1).interval.high - a.estimate(1).value, 20 * half);
}

TEST(Difference, BootstrapCoversTheTruthAboutAsOftenAsItSays) {
  // Pairs of rows from two normal laws whose means differ by 0.5; 95 % of intervals hold that.
  constexpr int kTrials = 200, kRows = 60;
  int held = 0;
  for (std::uint64_t trial = 0; trial < kTrials; ++trial) {
    Tally now(metric_named("loss")), base(metric_named("loss"));
    for (std::uint64_t row = 0; row < kRows; ++row) {
      const std::uint64_t i = (trial * kRows + row) * 2;
      const RowWeights weights = row_weights(trial, std::int64_t(row));
      base.add(tokens(5 + normal(i), 1), kJudge, weights);
      now.add(tokens(5.5 + normal(i + 1), 1), kJudge, weights);
    }
    const Interval interval = now.difference_to(base).interval;
    held += interval.low <= 0.5 && 0.5 <= interval.high;
  }
  // 95 % ± 3 standard errors of 200 trials, and a point less for a bootstrap of 60 rows.
  EXPECT_GE(held, kTrials * 0.89);
  EXPECT_LE(held, kTrials * 0.995);
}

TEST(MultipleChoice, IsNormalisedByCharactersOrBytes) {
  // Sums: the first; by character: −4/10 against −3/4 and −5/20: the third; by byte: the second.
  const Outcome outcome = ChoiceOutcome{
      .answer = 1, .logps = {-3, -4, -5}, .characters = {4, 10, 20}, .bytes = {4, 40, 20}};
  EXPECT_EQ(tally_of("acc", {outcome}).value(), 0);
  EXPECT_EQ(tally_of("acc_norm", {outcome}).value(), 0);
  EXPECT_EQ(tally_of("acc_bytes", {outcome}).value(), 1);
  auto third = std::get<ChoiceOutcome>(outcome);
  third.answer = 2;
  EXPECT_EQ(tally_of("acc_norm", {third}).value(), 1);
}

TEST(Preference, ComparesSumsOrMeans) {
  const Outcome outcome =
      PairOutcome{.chosen = -6, .rejected = -5, .chosen_tokens = 6, .rejected_tokens = 2};
  EXPECT_EQ(tally_of("preference_accuracy", {outcome}).value(), 0);
  EXPECT_EQ(tally_of("preference_accuracy_norm", {outcome}).value(), 1);
}

TEST(ExactMatch, WantsAnAnswerThatEnds) {
  EXPECT_EQ(tally_of("exact_match", {answer(true)}).value(), 1);
  AnswerOutcome cut{.expected = "yes", .given = "yes", .stopped = false};
  EXPECT_EQ(tally_of("exact_match", {cut}).value(), 0);
}

TEST(Metrics, AreNamedOnceAndExplained) {
  for (const Metric& metric : metrics()) {
    EXPECT_EQ(&metric_named(metric.name), &metric);
    EXPECT_FALSE(metric.help.empty());
    EXPECT_LE(metric.sums, kMaxSums);
  }
}

}  // namespace
}  // namespace hone::eval
