#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "model/decoder.h"

namespace hone::engine {

/// How far a model's predictions are from those of another one on the same documents.
struct Divergence {
  double largest = 0;      ///< |change| of a logit
  double mean = 0;         ///< mean |change| of the logits
  double kl = 0;           ///< KL divergence from the other's predictions to these, nats a token
  double same_greedy = 0;  ///< share of the tokens after which both find the same one likeliest
};

using Documents = std::vector<std::vector<std::int64_t>>;

/// Logits of each document's tokens, [T, V] f32; of a reward model or classifier its scores,
/// [T, labels].
std::vector<torch::Tensor> logits_of(const model::Decoder& decoder, const Documents& documents);

/// @param before what the other model's logits_of gave
Divergence divergence(const std::vector<torch::Tensor>& before, const model::Decoder& after,
                      const Documents& documents);

}  // namespace hone::engine
