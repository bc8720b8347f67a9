#pragma once

#include <array>
#include <string>
#include <vector>

#include "cli/model_arguments.h"

namespace hone::cli {

/// Which model compares answers, and what it is asked.
struct JudgeArguments {
  ModelArguments model;
  std::string question;                         ///< a file, or empty: hone's own
  std::vector<std::string> words = {"A", "B"};  ///< what names the answer shown first, and second

  void declare(CLI::App& command);
};

/// A language model that says which of two answers to a prompt is the better one: by the
/// probabilities of the two words that name them, right behind the question. Nothing is drawn.
class Judge {
 public:
  /// @throws ConfigError where the question lacks a place for what it is about, or where the words
  ///         cannot be told apart; DataError
  Judge(const JudgeArguments& arguments, const Common& common);

  /// log p(the answer shown first) − log p(the one shown second): of the answers in their order,
  /// and swapped.
  /// @param prompt, a, b texts, or messages
  /// @throws DataError where they hold no text, or are longer than what the model reads
  std::array<double, 2> log_odds(const nlohmann::ordered_json& prompt,
                                 const nlohmann::ordered_json& a,
                                 const nlohmann::ordered_json& b) const;

 private:
  std::vector<std::int64_t> asked(const std::string& prompt, const std::string& first,
                                  const std::string& second) const;

  OpenedModel opened_;
  std::string question_;
  std::vector<std::int64_t> lead_;       ///< tokens that both words begin with
  std::array<std::int64_t, 2> names_{};  ///< the tokens behind them that tell the words apart
};

}  // namespace hone::cli
