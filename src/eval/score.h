#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "datasets/example.h"
#include "eval/crew.h"
#include "model/decoder.h"

namespace hone::eval {

/// What a model makes of a document, given as it is.
struct DocumentScore {
  double loss = 0;           ///< nats, summed over tokens by their weights
  double weight = 0;         ///< sum of those weights
  double nats = 0;           ///< the same sum, each token of weight above 0 counted once
  std::int64_t tokens = 0;   ///< those tokens
  std::int64_t correct = 0;  ///< of them, the model's likeliest; 0 where not asked for
  double reward = 0;         ///< what a reward model says at the last token
};

struct ScoreOptions {
  bool count_correct = false;  ///< costs a second product with the head
};

/// Runs documents together, none of them seeing another; a reward model (one with labels) gives
/// rewards alone.
/// @param documents none of them empty
/// @throws DataError for ids outside the vocabulary
std::vector<DocumentScore> score(const model::Decoder& decoder,
                                 std::span<const datasets::Example> documents,
                                 const ScoreOptions& options);

/// The same as numbers, and back.
Numbers numbers_of(const std::vector<DocumentScore>& scores);
std::vector<DocumentScore> scores_from(const Numbers& numbers);

/// Scores the documents of rows in batches that are filled up to a number of tokens; a row's
/// documents may lie in several, and rows are given back in their order. Of a crew each
/// scores every `world`-th batch.
template <class Row>
class ScoringQueue {
 public:
  using Take = std::function<void(Row row, std::span<const DocumentScore> scores)>;

  ScoringQueue(const model::Decoder& decoder, std::int64_t tokens_per_batch,
               const ScoreOptions& options, Take take, Crew crew = {})
      : decoder_(decoder),
        tokens_per_batch_(tokens_per_batch),
        options_(options),
        take_(std::move(take)),
        crew_(std::move(crew)) {}

  void add(Row row, std::vector<datasets::Example> documents) {
    rows_.push_back({std::move(row), documents.size()});
    for (datasets::Example& document : documents) {
      if (!batch_.empty() && tokens_ + document.length() > tokens_per_batch_) end_batch();
      tokens_ += document.length();
      batch_.push_back(std::move(document));
    }
    give();
  }

  /// Scores what is left.
  void finish() {
    if (!batch_.empty()) end_batch();
    if (!round_.empty()) run();
    give();
  }

 private:
  struct Waiting {
    Row row;
    std::size_t documents;
  };

  void end_batch() {
    round_.push_back(std::move(batch_));
    batch_.clear();
    tokens_ = 0;
    if (std::ssize(round_) == crew_.world) run();
  }

  void run() {
    const auto measure = [&](std::size_t i) {
      return numbers_of(score(decoder_, round_[i], options_));
    };
    for (const Numbers& found : measure_round(crew_, round_.size(), measure))
      for (const DocumentScore& score : scores_from(found)) scores_.push_back(score);
    round_.clear();
  }

  void give() {
    std::size_t done = 0, used = 0;
    for (; done < rows_.size() && used + rows_[done].documents <= scores_.size(); ++done) {
      Waiting& waiting = rows_[done];
      take_(std::move(waiting.row), std::span(scores_).subspan(used, waiting.documents));
      used += waiting.documents;
    }
    rows_.erase(rows_.begin(), rows_.begin() + std::ptrdiff_t(done));
    scores_.erase(scores_.begin(), scores_.begin() + std::ptrdiff_t(used));
  }

  const model::Decoder& decoder_;
  std::int64_t tokens_per_batch_;
  ScoreOptions options_;
  Take take_;
  Crew crew_;
  std::vector<Waiting> rows_;                          // in their order
  std::vector<DocumentScore> scores_;                  // of the first documents of rows_
  std::vector<std::vector<datasets::Example>> round_;  // the documents that follow them: a batch
                                                       // for each process
  std::vector<datasets::Example> batch_;               // and those that follow
  std::int64_t tokens_ = 0;                            // of batch_
};

}  // namespace hone::eval
