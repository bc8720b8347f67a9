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
  std::int32_t file = 0;               ///< place in DatasetInfo::files
  std::int64_t row = 0;                ///< line in that file, from 1
  std::int32_t straddling_tokens = 0;  ///< lie across the border between prompt and response
  /// A server, given what stands before a trained message, would write the prompt otherwise than it
  /// stands in the row's text: the chat template is not consistent.
  bool prompt_differs = false;
  std::vector<TemplateChange> changes;  ///< counted while reading, and then gone; see RowCounts

  std::int64_t length() const { return static_cast<std::int64_t>(ids.size()); }
  /// Of a response, and with a weight; the first token never is, as nothing predicts it.
  bool is_trained(std::size_t token) const {
    return token > 0 && responses[token] != 0 && weights[token] > 0;
  }
  std::int64_t trained_tokens() const;
};

}  // namespace hone::datasets
