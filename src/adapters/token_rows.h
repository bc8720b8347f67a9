#pragma once

#include "adapters/adapter.h"

namespace hone::adapters {

/// The rows of embedding and head that the settings want trained, as they are now: those of
/// `trainable_token_indices` (a list for embed_tokens, or {module: list}) or, for the method that
/// trains nothing else, of `token_indices` in each of `target_modules`. A head that is the
/// embedding follows it and has none of its own.
/// @throws ConfigError where a list has no token, one twice, or one outside the vocabulary, or
/// where
///         a module is another one
std::vector<TokenRows> token_rows_of(const Method& method, const Settings& settings,
                                     const model::Decoder& decoder);

/// The embedding with some of its rows trained.
std::shared_ptr<const model::EmbeddingAdapter> token_rows_adapter(const TokenRows& tokens);

/// The head whose weight is what `rows` makes of its own.
std::shared_ptr<const model::LinearAdapter> head_of_rows(
    std::shared_ptr<const model::EmbeddingAdapter> rows);

}  // namespace hone::adapters
