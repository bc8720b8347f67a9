#include "datasets/weights.h"

#include <algorithm>

namespace hone::datasets {

TokenWeights weigh_tokens(std::span<const tokenizer::TextRange> tokens,
                          std::span<const WeighedRange> ranges, float prompt_weight) {
  TokenWeights result;
  result.weights.reserve(tokens.size());
  result.responses.reserve(tokens.size());
  for (const tokenizer::TextRange& token : tokens) {
    // The first range that ends behind the token's first byte is the only one that can hold it.
    const auto found =
        std::partition_point(ranges.begin(), ranges.end(),
                             [&](const WeighedRange& r) { return r.range.end <= token.begin; });
    const bool touches =
        token.size() > 0 && found != ranges.end() && found->range.begin < token.end;
    const bool inside =
        touches && found->range.begin <= token.begin && token.end <= found->range.end;
    result.weights.push_back(inside ? found->weight : prompt_weight);
    result.responses.push_back(inside && found->is_response);
    if (touches && !inside && found->is_response) ++result.straddling_tokens;
  }
  return result;
}

}  // namespace hone::datasets
