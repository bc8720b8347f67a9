#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace hone::datasets {

/// Something of a message that the chat template did not print as it is.
struct TemplateChange {
  enum Kind : std::uint8_t { kDropped, kCut, kTrimmed };
  Kind kind;
  std::string what;  ///< "messages[1] (assistant): reasoning_content is not printed"
};
inline constexpr std::size_t kTemplateChangeKinds = 3;

/// One document as it is trained on.
struct Example {
  std::vector<std::int32_t> ids;
  /// One for each id: how much predicting it from those before counts in the loss. The first one
  /// has no effect, because nothing comes before it.
  std::vector<float> weights;
  /// One for each id: 1 where it is of a response, 0 where it is of the prompt, whatever either
  /// weighs. The mask contract looks at responses, so that prompt_loss_weight hides nothing.
  std::vector<std::uint8_t> responses;
  std::int32_t file = 0;                ///< place in Dataset::files
  std::int64_t row = 0;                 ///< line in that file, from 1
  std::int32_t straddling_tokens = 0;   ///< lie across the border between prompt and response
  bool prompt_differs = false;          ///< see RowCounts::prompt_differs
  std::vector<TemplateChange> changes;  ///< counted by load, and then gone; see RowCounts::changes

  std::int64_t length() const { return static_cast<std::int64_t>(ids.size()); }
  /// Of a response, and with a weight; the first token never is, as nothing predicts it.
  bool is_trained(std::size_t token) const {
    return token > 0 && responses[token] != 0 && weights[token] > 0;
  }
  std::int64_t trained_tokens() const;
};

/// Rows in which a template changed something of one kind.
struct ChangeCount {
  std::int64_t rows = 0;
  std::string first;  ///< where, and what: the first of them
};

/// What became of the rows of the files.
struct RowCounts {
  std::int64_t read = 0;
  std::int64_t rendered = 0;          ///< came as messages and went through a chat template
  std::int64_t dropped_overlong = 0;  ///< longer than the limit, left out
  std::int64_t truncated = 0;         ///< longer than the limit, cut to it
  std::int64_t straddling = 0;        ///< have at least one straddling token
  /// A server, given what stands before a trained message, would write the prompt otherwise than it
  /// stands in the row's text: the chat template is not consistent.
  std::int64_t prompt_differs = 0;
  std::array<ChangeCount, kTemplateChangeKinds> changes;  ///< by TemplateChange::Kind
  std::int64_t longest = 0;  ///< tokens of the longest row, before any cut
};

/// Everything that `load` made of a list of files, in the order of the files.
struct Dataset {
  std::vector<Example> examples;
  std::vector<std::string> files;
  RowCounts counts;
  std::string sha256;  ///< of the files' contents, one after the other

  std::int64_t tokens() const;
  /// Sum of the weights that have an effect: what the loss of one epoch is divided by.
  double trained_weight() const;
  std::vector<std::int64_t> lengths() const;
  /// "file:line" of an example, for messages.
  std::string where(const Example& example) const;
};

/// A line for each kind of change that a chat template made: how many rows, and the first of them.
std::vector<std::string> describe_changes(const RowCounts& counts);

/// One line that says how much there is and what was left out.
std::string summary(const Dataset& dataset);

}  // namespace hone::datasets
