#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace hone::eval {

/// Texts that end an answer and are not part of it. They are looked for in the text, so it does not
/// matter which tokens it comes in.
struct StopTexts {
  std::vector<std::string> texts;  ///< none of them empty

  /// The text up to the first of them in it.
  std::string cut(std::string text) const;

  /// Bytes at the end of a text that may become one of them when it goes on.
  std::size_t undecided(std::string_view text) const;

  /// For SamplingOptions::is_done; empty where there are no texts.
  /// @param tokenizer lives longer than the result
  std::function<bool(const std::vector<std::int64_t>& ids)> watch(
      const tokenizer::Tokenizer& tokenizer) const;
};

}  // namespace hone::eval
