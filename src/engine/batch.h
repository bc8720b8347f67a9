#pragma once

#include <functional>

#include "datasets/batch.h"
#include "model/decoder.h"

namespace hone::engine {

using torch::Tensor;

/// A batch on the device it is computed on. M counts the tokens that carry weight, D documents.
struct DeviceBatch {
  const datasets::Batch* host = nullptr;  ///< what it was made of; outlives this
  model::TokenStream tokens;
  Tensor rows_M;     ///< i64, positions in the stream whose next token is trained on
  Tensor targets_M;  ///< i64, those next tokens
  Tensor weights_M;  ///< f32, their weights
  Tensor counts_D;   ///< i64, how many of them each document has
  /// The tokens that carry no weight, as prompts' do: rows that predict them, and their documents.
  /// The first token of a document is predicted by nothing.
  Tensor unweighted_rows, unweighted_targets, unweighted_documents;
  Tensor ends_D;  ///< i64, positions in the stream of the documents' last tokens
};

/// @param share_prompts the documents of a row have one copy of their prompt in the stream: fewer
///        tokens, and the same numbers to rounding. Tokens that carry weight, and documents, keep
///        their order.
DeviceBatch to_device(const datasets::Batch& batch, torch::Device device,
                      bool share_prompts = false);

/// Tokens of the stream that to_device makes of a batch.
std::int64_t stream_tokens(const datasets::Batch& batch, bool share_prompts);

/// Gives all rows of a data set, in their order, in batches of about so many tokens.
void for_each_batch(const datasets::Dataset& data, std::int64_t tokens_per_batch,
                    const std::function<void(const datasets::Batch&)>& use);

}  // namespace hone::engine
