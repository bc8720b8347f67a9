#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/example.h"
#include "datasets/options.h"

namespace hone::tokenizer {
class ChatTemplate;
class Tokenizer;
}  // namespace hone::tokenizer

namespace hone::datasets {

/// What turns text into tokens. Files of rows that are tokens already need none of it.
struct TextTools {
  const tokenizer::Tokenizer* tokenizer = nullptr;
  const tokenizer::ChatTemplate* chat_template = nullptr;
  std::int64_t vocab_size = 0;  ///< ids that the model knows; 0: not known, any id is taken
  std::vector<std::int32_t> stop_ids = {};  ///< end a response where the model is served
};

/// Wrong rows that are told of at once; reading stops there.
inline constexpr std::size_t kMaxBadRows = 10;

/// Reads the rows of `files` and gives every token its loss weight. Deterministic; nothing of a
/// conversation's text can become a special token.
/// @param context_length tokens that the model can take; 0: not known. The limit of a row where
///        options.max_length is null
/// @throws DataError where files cannot be read as rows: one message with up to kMaxBadRows wrong
///         rows, each with file:line, what was expected, what was found, and what to do; also where
///         no row is left
Dataset load(const std::vector<std::string>& files, const DataOptions& options,
             const TextTools& tools, std::int64_t context_length);

}  // namespace hone::datasets
