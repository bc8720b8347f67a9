#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/options.h"
#include "engine/text.h"
#include "model/decoder.h"

namespace hone::engine {

/// One row's answer beside what the row says it should be.
struct Answer {
  std::string prompt;    ///< the last turn before it, for people
  std::string expected;  ///< the row's own last assistant turn
  std::string given;     ///< the model's, greedily, up to its stop token
  bool exact = false;    ///< stopped by itself, and equal but for blanks at either end
};

struct ExactMatch {
  std::vector<Answer> answers;
  std::int64_t generated_tokens = 0;
  double seconds = 0;

  double rate() const;  ///< share of exact answers, in [0, 1]
};

/// Lets the model answer the last assistant turn of every conversation in data.eval.
/// @throws DataError for rows without an assistant turn at the end
ExactMatch measure_exact_match(const model::Decoder& decoder, const Text& text,
                               const datasets::DataOptions& data, const EvalOptions& options);

}  // namespace hone::engine
