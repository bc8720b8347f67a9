#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tokenizer/utf8.h"

namespace hone::datasets {

/// Loss weights of the tokens of one text.
struct TokenWeights {
  std::vector<float> weights;          ///< one for each token
  std::int32_t straddling_tokens = 0;  ///< lie partly inside a trained range, and weigh as prompt
};

/// 1 for a token that lies wholly inside one trained range, else `prompt_weight`.
/// @param tokens  bytes of the text that each token stands for; an empty range stands for none
/// @param trained byte ranges of the same text, ascending and apart
TokenWeights weigh_tokens(std::span<const tokenizer::TextRange> tokens,
                          std::span<const tokenizer::TextRange> trained, float prompt_weight);

}  // namespace hone::datasets
