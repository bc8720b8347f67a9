#include "datasets/weights.h"

#include <algorithm>

namespace hone::datasets {

using tokenizer::TextRange;

TokenWeights weigh_tokens(std::span<const TextRange> tokens, std::span<const TextRange> trained,
                          float prompt_weight) {
  TokenWeights result;
  result.weights.reserve(tokens.size());
  for (const TextRange& token : tokens) {
    // The first range that ends behind the token's first byte is the only one that can hold it.
    const auto range = std::partition_point(
        trained.begin(), trained.end(), [&](const TextRange& r) { return r.end <= token.begin; });
    const bool touches = token.size() > 0 && range != trained.end() && range->begin < token.end;
    const bool inside = touches && range->begin <= token.begin && token.end <= range->end;
    result.weights.push_back(inside ? 1.0f : prompt_weight);
    if (touches && !inside) ++result.straddling_tokens;
  }
  return result;
}

}  // namespace hone::datasets
