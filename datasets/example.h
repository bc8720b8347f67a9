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

/// One row as it is trained on: one document, or several that stay together.
struct Example {
  std::vector<std::int32_t> ids;  ///< of the documents, end to end
  /// One for each id: how much predicting it from those before counts in the loss. The first one
  /// has no effect, because nothing comes before it.
  std::vector<float> weights;
  /// One for each id: 1 where it is of a response, 0 where it is of the prompt, whatever either
  /// weighs. The mask contract looks at responses, so that prompt_loss_weight hides nothing.
  std::vector<std::uint8_t> responses;
  /// Where each document ends in `ids`; empty: it is one. Of a pair: the prompt with the chosen
  /// answer, the prompt with the rejected one. Of several, each one's first token weighs 0.
  std::vector<std::int32_t> document_ends = {};
  /// What the row says of its answers: a pair's margin (0 where it has none), 1 or 0 for an
  /// unpaired row's label, scores (NaN: it has no such one), labels of steps.
  std::vector<float> values = {};
  std::int32_t file = 0;               ///< place in DatasetInfo::files
  std::int64_t row = 0;                ///< line in that file, from 1
  std::int32_t straddling_tokens = 0;  ///< lie across the border between prompt and response
  /// A server, given what stands before a trained message, would write the prompt otherwise than it
  /// stands in the row's text: the chat template is not consistent.
  bool prompt_differs = false;
  std::vector<TemplateChange> changes;  ///< counted while reading, and then gone; see RowCounts

  std::int64_t length() const { return static_cast<std::int64_t>(ids.size()); }
  std::int64_t documents() const {
    return document_ends.empty() ? 1 : static_cast<std::int64_t>(document_ends.size());
  }
  std::int64_t document_begin(std::int64_t document) const {
    return document == 0 ? 0 : document_ends[static_cast<std::size_t>(document) - 1];
  }
  std::int64_t document_end(std::int64_t document) const {
    return document_ends.empty() ? length() : document_ends[static_cast<std::size_t>(document)];
  }
  std::int64_t longest_document() const;
  /// Of a response, and with a weight; the first token never is, as nothing predicts it.
  bool is_trained(std::size_t token) const {
    return token > 0 && responses[token] != 0 && weights[token] > 0;
  }
  std::int64_t trained_tokens() const;
};

/// One document of a row, as a row of its own.
Example document_of(const Example& example, std::int64_t document);

/// Documents as one row: what they count is added up, the place is the first one's. Only responses
/// weigh in it.
Example joined(const std::vector<Example>& documents);

/// How many tokens all documents of a row begin with before the first response: the prompt that
/// they share. 0 where there is one document.
std::int64_t shared_prompt(const Example& example);

}  // namespace hone::datasets
