#pragma once

#include <cstdint>
#include <vector>

namespace hone::datasets {

/// One document as it is trained on.
struct Example {
  std::vector<std::int32_t> ids;
  /// One for each id: how much predicting it from those before counts in the loss. 1 for tokens of
  /// the response. The first one has no effect, because nothing comes before it.
  std::vector<float> weights;
  std::int32_t file = 0;               ///< place in DatasetInfo::files
  std::int64_t row = 0;                ///< line in that file, from 1
  std::int32_t straddling_tokens = 0;  ///< lie across the border between prompt and response
  /// A server, given what stands before a trained message, would write the prompt otherwise than it
  /// stands in the row's text: the chat template is not consistent.
  bool prompt_differs = false;

  std::int64_t length() const { return static_cast<std::int64_t>(ids.size()); }
  /// Tokens of full weight; the first token is never one, as nothing predicts it.
  std::int64_t trained_tokens() const;
};

}  // namespace hone::datasets
