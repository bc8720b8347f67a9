#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tokenizer/utf8.h"

namespace hone::datasets {

/// A stretch of a text whose tokens do not weigh as the prompt's do.
struct WeighedRange {
  tokenizer::TextRange range;
  float weight = 1;
  bool is_response = true;
};

/// Loss weights of the tokens of one text.
struct TokenWeights {
  std::vector<float> weights;           ///< one for each token
  std::vector<std::uint8_t> responses;  ///< one for each token, see Example
  std::int32_t straddling_tokens = 0;   ///< lie partly inside a response, and weigh as prompt
};

/// A token that lies wholly inside one range is as that range says; any other is the prompt's.
/// @param tokens bytes of the text that each token stands for; an empty range stands for none
/// @param ranges stretches of the same text, ascending and apart
TokenWeights weigh_tokens(std::span<const tokenizer::TextRange> tokens,
                          std::span<const WeighedRange> ranges, float prompt_weight);

}  // namespace hone::datasets
