#pragma once

#include "model/decoder.h"

namespace hone::model {

/// Gives the embedding, and a head of its own, `vocab_size` rows; does nothing where they have as
/// many. Each new row is the mean of those that the model came with, so that a new token begins as
/// the average one.
/// @post spec.vocab_size and spec.added_rows say so
/// @source transformers' resize_token_embeddings with mean_resizing, whose noise (a 1e-9th of the
///         rows' covariance) is left out
void resize_vocabulary(Decoder& decoder, std::int64_t vocab_size);

}  // namespace hone::model
