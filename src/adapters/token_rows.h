#pragma once

#include "adapters/adapter.h"

namespace hone::adapters {

/// The tokens that `key` lists, a list or {"embed_tokens": list}.
/// @throws ConfigError where it lists none, one twice, or one outside the vocabulary
std::vector<std::int64_t> token_ids(const Settings& settings, const char* key,
                                    std::int64_t vocab_size);

/// The embedding with some of its rows trained.
std::shared_ptr<const model::EmbeddingAdapter> token_rows_adapter(const TokenRows& tokens);

/// The head that is the same matrix as such an embedding.
std::shared_ptr<const model::LinearAdapter> tied_head_adapter(
    std::shared_ptr<const model::EmbeddingAdapter> embedding);

}  // namespace hone::adapters
