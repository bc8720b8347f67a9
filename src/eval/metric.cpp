#include "eval/metric.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "config/problems.h"
#include "eval/bleu.h"
#include "eval/rouge.h"

namespace hone::eval {
namespace {

using Sums = std::span<double>;

void put(Sums sums, double numerator, double denominator) {
  sums[0] = numerator;
  sums[1] = denominator;
}

double quotient(std::span<const double> sums) { return sums[0] / sums[1]; }
double exp_of_quotient(std::span<const double> sums) { return std::exp(quotient(sums)); }

// Of a row's own tokens.

void loss(const Outcome& outcome, const Judge&, Sums sums) {
  const auto& tokens = std::get<TokenOutcome>(outcome);
  put(sums, tokens.loss, tokens.weight);
}

void bits_per_byte(const Outcome& outcome, const Judge&, Sums sums) {
  const auto& tokens = std::get<TokenOutcome>(outcome);
  put(sums, tokens.nats / std::numbers::ln2, double(tokens.bytes));
}

void token_accuracy(const Outcome& outcome, const Judge&, Sums sums) {
  const auto& tokens = std::get<TokenOutcome>(outcome);
  put(sums, double(tokens.correct), double(tokens.tokens));
}

// Of answers.

void exact_match(const Outcome& outcome, const Judge&, Sums sums) {
  const auto& answer = std::get<AnswerOutcome>(outcome);
  put(sums, answer.stopped && trimmed(answer.given) == trimmed(*answer.expected), 1);
}

void regex_match(const Outcome& outcome, const Judge& judge, Sums sums) {
  const auto& answer = std::get<AnswerOutcome>(outcome);
  put(sums, judge.pattern->agrees(answer.given, answer.expected), 1);
}

void json_schema_match(const Outcome& outcome, const Judge& judge, Sums sums) {
  put(sums, judge.schema->accepts(std::get<AnswerOutcome>(outcome).given), 1);
}

void bleu(const Outcome& outcome, const Judge&, Sums sums) {
  const auto& answer = std::get<AnswerOutcome>(outcome);
  const BleuStatistics statistics = bleu_statistics(answer.given, *answer.expected);
  std::ranges::copy(statistics, sums.begin());
}

double bleu_of_sums(std::span<const double> sums) { return bleu_score(sums.first<kBleuSums>()); }

void rouge_l(const Outcome& outcome, const Judge&, Sums sums) {
  const auto& answer = std::get<AnswerOutcome>(outcome);
  put(sums, rouge_l_f1(answer.given, *answer.expected), 1);
}

// Of multiple choice. The first of equals is the model's choice, as numpy's argmax has it.

bool is_chosen(const ChoiceOutcome& choices, const std::vector<std::int64_t>* lengths) {
  std::vector<double> scores = choices.logps;
  if (lengths != nullptr)
    for (std::size_t i = 0; i < scores.size(); ++i) scores[i] /= double((*lengths)[i]);
  return std::ranges::max_element(scores) - scores.begin() == std::ptrdiff_t(choices.answer);
}

void acc(const Outcome& outcome, const Judge&, Sums sums) {
  put(sums, is_chosen(std::get<ChoiceOutcome>(outcome), nullptr), 1);
}

void acc_norm(const Outcome& outcome, const Judge&, Sums sums) {
  const auto& choices = std::get<ChoiceOutcome>(outcome);
  put(sums, is_chosen(choices, &choices.characters), 1);
}

void acc_bytes(const Outcome& outcome, const Judge&, Sums sums) {
  const auto& choices = std::get<ChoiceOutcome>(outcome);
  put(sums, is_chosen(choices, &choices.bytes), 1);
}

// Of pairs.

void preference_accuracy(const Outcome& outcome, const Judge&, Sums sums) {
  const auto& pair = std::get<PairOutcome>(outcome);
  put(sums, pair.chosen > pair.rejected, 1);
}

void preference_accuracy_norm(const Outcome& outcome, const Judge&, Sums sums) {
  const auto& pair = std::get<PairOutcome>(outcome);
  put(sums, pair.chosen / double(pair.chosen_tokens) > pair.rejected / double(pair.rejected_tokens),
      1);
}

constexpr double kPercent = 0.01;
constexpr auto kShare = Estimator::kShare;

constexpr std::array kMetrics = {
    Metric{"loss", Needs::kTokens, Estimator::kRatio, 2, loss, quotient, 0, true,
           "nats a trained token, each by its weight: what training minimises"},
    Metric{"perplexity", Needs::kTokens, Estimator::kRatio, 2, loss, exp_of_quotient, 0, true,
           "e to the power of the loss"},
    Metric{"bits_per_byte", Needs::kTokens, Estimator::kRatio, 2, bits_per_byte, quotient, 0, true,
           "-log2 of the probability of the scored tokens (weight above 0, stop tokens among them, "
           "each counted once) over the UTF-8 bytes of the text that they decode to, special "
           "tokens left out; comparable between tokenizers"},
    Metric{"token_accuracy", Needs::kTokens, Estimator::kRatio, 2, token_accuracy, quotient,
           kPercent, false, "share of trained tokens that are the model's likeliest"},
    Metric{"exact_match", Needs::kReference, kShare, 2, exact_match, quotient, kPercent, false,
           "share of answers that end by themselves and are the row's own but for blanks at either "
           "end"},
    Metric{"regex_match", Needs::kAnswer, kShare, 2, regex_match, quotient, kPercent, false,
           "share of answers that `pattern` is found in and, where it has a group, finds in it "
           "what it finds in the row's own answer"},
    Metric{"json_schema_match", Needs::kAnswer, kShare, 2, json_schema_match, quotient, kPercent,
           false, "share of answers that are JSON as `schema` wants it"},
    Metric{"bleu", Needs::kReference, Estimator::kCorpus, kBleuSums, bleu, bleu_of_sums, 1, false,
           "BLEU of the whole, 0 to 100, as sacrebleu has it: 13a tokens, exponential smoothing"},
    Metric{"rouge_l", Needs::kReference, Estimator::kRatio, 2, rouge_l, quotient, kPercent, false,
           "mean F-measure of the longest common subsequence of words, as rouge_score has it "
           "without stemming"},
    Metric{"acc", Needs::kChoices, kShare, 2, acc, quotient, kPercent, false,
           "multiple choice: share of rows whose right choice is the likeliest"},
    Metric{"acc_norm", Needs::kChoices, kShare, 2, acc_norm, quotient, kPercent, false,
           "the same, log-probabilities divided by the choice's characters"},
    Metric{"acc_bytes", Needs::kChoices, kShare, 2, acc_bytes, quotient, kPercent, false,
           "the same, divided by its UTF-8 bytes"},
    Metric{"preference_accuracy", Needs::kPair, kShare, 2, preference_accuracy, quotient, kPercent,
           false, "share of pairs whose chosen answer is likelier than the rejected one"},
    Metric{"preference_accuracy_norm", Needs::kPair, kShare, 2, preference_accuracy_norm, quotient,
           kPercent, false, "the same, log-probabilities divided by the answer's tokens"},
    Metric{"reward_accuracy", Needs::kReward, kShare, 2, preference_accuracy, quotient, kPercent,
           false, "share of pairs whose chosen answer a reward model scores higher"},
};

}  // namespace

std::size_t outcome_index(Needs needs) {
  switch (needs) {
    case Needs::kTokens:
      return 0;
    case Needs::kAnswer:
    case Needs::kReference:
      return 1;
    case Needs::kChoices:
      return 2;
    case Needs::kPair:
    case Needs::kReward:
      return 3;
  }
  throw InternalError("a metric needs something unknown");
}

std::span<const Metric> metrics() { return kMetrics; }

const Metric& metric_named(std::string_view name) {
  const auto found = std::ranges::find(kMetrics, name, &Metric::name);
  HONE_CHECK(ConfigError, found != kMetrics.end(), "there is no metric {}{}; there are {}", name,
             config::did_you_mean(std::string(name), metric_list()), metric_names());
  return *found;
}

std::vector<std::string> metric_list() {
  std::vector<std::string> names;
  for (const Metric& metric : kMetrics) names.emplace_back(metric.name);
  return names;
}

std::string metric_names() { return fmt::format("{}", fmt::join(metric_list(), ", ")); }

std::string metric_help() {
  std::string help = "What is measured.";
  for (const Metric& metric : kMetrics) help += fmt::format(" {}: {}.", metric.name, metric.help);
  return help;
}

std::string trimmed(std::string_view text) {
  constexpr const char* kBlank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(kBlank) - begin + 1));
}

}  // namespace hone::eval
