#pragma once

#include "engine/batch.h"
#include "model/decoder.h"

namespace hone::engine {

// Axes: D documents of a batch, M its tokens that carry weight.

/// What a model says of the responses of a batch.
struct ResponseLogps {
  Tensor tokens_M;   ///< f32, log-probability of each weighed token, in nats
  Tensor sums_D;     ///< f32, of each document, each token times its weight
  Tensor hidden_NH;  ///< what the head said it from
};

/// Gradient flows through all of it.
ResponseLogps response_logps(const model::Decoder& decoder, const DeviceBatch& batch);

/// Sum of a number for each weighed token over each document.
/// @param values_M [M]; @return [D], gradient flows; the same on every run, whatever the device
Tensor sums_by_document(const Tensor& values_M, const DeviceBatch& batch);

/// What the model itself expects to pay at the weighed tokens, without gradient: their log Σ p²
/// over the vocabulary, and the entropy −Σ p log p, [M] f32 each. Logits exist in chunks alone.
struct TokenSpread {
  Tensor log_sum_squares_M, entropy_M;
};
TokenSpread token_spread(const model::Decoder& decoder, const Tensor& hidden_NH,
                         const DeviceBatch& batch);

}  // namespace hone::engine
