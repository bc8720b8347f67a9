#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "eval/json_schema.h"
#include "eval/pattern.h"

namespace hone::eval {

/// What the model makes of a row's own tokens.
struct TokenOutcome {
  double loss = 0;           ///< nats, summed over tokens by their weights
  double weight = 0;         ///< sum of those weights
  double nats = 0;           ///< the same sum where every scored token counts once
  std::int64_t tokens = 0;   ///< scored: those of weight above 0
  std::int64_t correct = 0;  ///< of them, those that the model finds likeliest
  std::int64_t bytes = 0;    ///< of the text that they are, in UTF-8
};

/// What the model answers, beside what the row says.
struct AnswerOutcome {
  std::string prompt;                   ///< the last turn before the answer, for people
  std::optional<std::string> expected;  ///< the row's own answer
  std::string given;                    ///< the model's, greedily, up to its stop
  bool stopped = false;                 ///< it came to an end by itself
  std::int64_t tokens = 0;              ///< that were generated for it
};

/// How likely the model finds each of some answers.
struct ChoiceOutcome {
  std::size_t answer = 0;                ///< the right one
  std::vector<double> logps;             ///< nats, summed over the choice's tokens
  std::vector<std::int64_t> characters;  ///< of each choice, delimiter not counted
  std::vector<std::int64_t> bytes;
};

/// How the model likes two answers: log-probabilities, or rewards.
struct PairOutcome {
  double chosen = 0, rejected = 0;
  std::int64_t chosen_tokens = 0, rejected_tokens = 0;  ///< scored; 0 with rewards
};

using Outcome = std::variant<TokenOutcome, AnswerOutcome, ChoiceOutcome, PairOutcome>;

/// What a metric has to know of a row.
enum class Needs {
  kTokens,     ///< a TokenOutcome: rows as training has them
  kAnswer,     ///< an AnswerOutcome, whatever the row's own answer
  kReference,  ///< an AnswerOutcome with the row's own answer
  kChoices,    ///< a ChoiceOutcome: {"prompt" or "messages", "choices", "answer"}
  kPair,       ///< a PairOutcome of log-probabilities: preference rows
  kReward,     ///< a PairOutcome of rewards: preference rows and a reward model
};

/// The place among the alternatives of Outcome of what serves a need.
std::size_t outcome_index(Needs needs);

/// How sums over rows become a figure and its interval.
enum class Estimator {
  kShare,   ///< right rows / rows: Wilson's interval
  kRatio,   ///< a sum over a sum, rows being the sample: ± 1.96 standard errors
  kCorpus,  ///< a function of the sums of the whole: bootstrap over rows
};

/// What answers are held against.
struct Judge {
  std::optional<Pattern> pattern;
  std::optional<JsonSchema> schema;
};

inline constexpr std::size_t kMaxSums = 10;

/// One measure.
struct Metric {
  std::string_view name;
  Needs needs;
  Estimator estimator;
  std::size_t sums;  ///< that it keeps: kShare and kRatio two, numerator and denominator
  /// A row's part of each sum. @param sums [sums], zeros
  void (*measure)(const Outcome& outcome, const Judge& judge, std::span<double> sums);
  /// The figure from the sums over rows; of kShare and kRatio from their quotient alone.
  double (*value)(std::span<const double> sums);
  double point;  ///< what one point is; 0: one hundredth of the figure
  bool lower_is_better;
  std::string_view help;  ///< as a sentence without its end
};

std::span<const Metric> metrics();

/// @throws ConfigError where there is none of that name
const Metric& metric_named(std::string_view name);

/// Names in the order of the table; as one text; and with what each is.
std::vector<std::string> metric_list();
std::string metric_names();
std::string metric_help();

/// A text without the blanks at either end.
std::string trimmed(std::string_view text);

}  // namespace hone::eval
