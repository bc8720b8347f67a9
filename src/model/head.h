#pragma once

#include "model/decoder.h"

namespace hone::model {

/// Log-probability of a target at some rows of a batch. Only those rows meet the head, in chunks;
/// logits [N, V] never exist.
/// @param hidden_NH  [N, H] as hidden_states gives them
/// @param rows_M     [M] i64, which rows
/// @param targets_M  [M] i64, the token that should follow each of them
/// @return [M] f32, nats; gradient flows to the hidden states and, where trained, to the head
/// @throws DataError when a target is outside the vocabulary
Tensor token_logps(const Decoder& decoder, const Tensor& hidden_NH, const Tensor& rows_M,
                   const Tensor& targets_M);

/// The same with each row's entropy −Σ p log p over the vocabulary, from the same chunks.
struct TokenLogps {
  Tensor logps_M;    ///< as token_logps gives them
  Tensor entropy_M;  ///< f32, nats; no gradient
};
TokenLogps token_logps_and_entropy(const Decoder& decoder, const Tensor& hidden_NH,
                                   const Tensor& rows_M, const Tensor& targets_M);

/// What else losses want to know of a token's distribution.
struct TokenDistribution {
  Tensor logps_M;       ///< as token_logps gives them
  Tensor logsumexp_M;   ///< logarithm of the sum of the exponentials of its logits
  Tensor mean_logit_M;  ///< over the vocabulary
};

/// The same for these, [M] f32 each; gradient flows through all of them. The logits [N, V] never
/// exist here either: the sum of exponentials is the target's logit less its log-probability, and
/// the mean logit is the product with the head's mean row.
TokenDistribution token_distribution(const Decoder& decoder, const Tensor& hidden_NH,
                                     const Tensor& rows_M, const Tensor& targets_M);

/// What the head `score` says of some rows: a classifier's outputs, a reward, a value.
/// @return [M, num_labels] f32; gradient flows
Tensor scores(const Decoder& decoder, const Tensor& hidden_NH, const Tensor& rows_M);

/// Logits of a few rows, [M, V] f32: for generation and inspection, never for a whole batch.
Tensor logits(const Decoder& decoder, const Tensor& hidden_MH);

}  // namespace hone::model
