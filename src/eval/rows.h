#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datasets/columns.h"
#include "datasets/example.h"
#include "datasets/load.h"
#include "datasets/options.h"
#include "datasets/record.h"
#include "eval/metric.h"
#include "io/row_reader.h"
#include "tokenizer/tokenizer.h"

namespace hone::eval {

/// A prompt and what the row answers to it.
struct Question {
  std::vector<std::int64_t> prompt;
  AnswerOutcome outcome;  ///< prompt and expected are filled in
};

/// Of a conversation, what comes before the assistant's last turn, and that turn; where it ends
/// with another turn, all of it, and no answer. Of {"prompt", "completion"}, the two. A text is a
/// prompt as it stands.
/// @throws DataError where the row is none of these
Question question_of(const datasets::Record& record, const datasets::TextTools& tools);

/// A row's documents, one for each of its answers, with weights on the tokens of the answer alone.
struct AnswerRow {
  std::vector<datasets::Example> documents;
  ChoiceOutcome choices;  ///< of multiple choice: all but the log-probabilities
};

/// {"prompt": text, "choices": [text, …], "answer": index}, or "messages" in the place of the
/// prompt, which the chat template renders up to the answer. A choice's tokens are those that reach
/// beyond the prompt when both are encoded as one text.
/// @source lm-evaluation-harness, TemplateLM._encode_pair: a blank that ends the prompt counts with
///         the choice there as well
/// @throws DataError
AnswerRow choices_of(const datasets::Row& row, const std::string& delimiter,
                     const datasets::TextTools& tools);

/// The chosen and the rejected answer of a preference record, each as a document as training has it
/// (with the token that ends it). @throws DataError
AnswerRow pair_of(const datasets::Record& record, const datasets::DataOptions& options,
                  const datasets::TextTools& tools);

/// UTF-8 bytes of the text that the tokens of weight above 0 decode to, special ones left out.
std::int64_t scored_bytes(const datasets::Example& example, const tokenizer::Tokenizer& tokenizer);

/// Rows of files as they stand, their columns renamed, one after the other.
class RawRows {
 public:
  RawRows(std::vector<std::string> files, datasets::Columns columns)
      : files_(std::move(files)), columns_(std::move(columns)) {}

  /// None at the end. @param where gets "rows.jsonl:5"
  std::optional<datasets::Row> next(std::string& where);

 private:
  std::vector<std::string> files_;
  datasets::Columns columns_;
  std::size_t next_file_ = 0;
  std::unique_ptr<io::RowReader> reader_;
};

}  // namespace hone::eval
