#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "datasets/dataset.h"
#include "datasets/options.h"
#include "datasets/record.h"

namespace hone::tokenizer {
class ChatTemplate;
class Tokenizer;
}  // namespace hone::tokenizer

namespace hone::datasets {

/// What turns rows into tokens. Files of rows that are tokens already need no tokenizer.
struct TextTools {
  const tokenizer::Tokenizer* tokenizer = nullptr;
  const tokenizer::ChatTemplate* chat_template = nullptr;
  std::int64_t vocab_size = 0;  ///< ids that the model knows; 0: not known, any id is taken
  std::vector<std::int32_t> stop_ids = {};  ///< end a response where the model is served
  /// Of what the tokenizer was read from (tokenizer::content_hash); a token cache needs it.
  std::string tokenizer_sha256 = {};
  /// What rows may be: what the training method trains on.
  std::vector<RecordKind> kinds = document_kinds();
};

/// How far reading is. Bytes are those of the files as they lie on the disk.
struct LoadProgress {
  std::int64_t rows, bytes, total_bytes;
};

/// How the work is done; none of it shows in the result.
struct LoadSettings {
  int threads = 1;
  std::function<void(const LoadProgress&)> watch = {};  ///< called now and then, on one thread
};

/// Under this size `auto` keeps rows in memory: they are tokenised in a second or so.
inline constexpr std::int64_t kSmallDataBytes = std::int64_t{4} << 20;

/// Where the options want a token cache of these files; nothing: no cache is wanted, or none can be
/// written where `auto` would.
std::optional<std::filesystem::path> cache_folder(const std::vector<std::string>& files,
                                                  const DataOptions& options);

/// The files of rows that `files` stand for, and the SHA-256 of each, remembered where load()
/// remembers it: (path, hash). @throws DataError, IoError
std::vector<std::pair<std::string, std::string>> files_and_hashes(
    const std::vector<std::string>& files, const DataOptions& options);

/// Wrong rows that are told of at once; reading stops there.
inline constexpr std::size_t kMaxBadRows = 10;

/// Reads the rows of `files` and gives every token its loss weight, through a token cache where
/// options.cache says so. Deterministic; nothing of a conversation's text can become a special
/// token.
/// @param context_length tokens that the model can take; 0: not known. The limit of a row where
///        options.max_length is null
/// @throws DataError where files cannot be read as rows: one message with up to kMaxBadRows wrong
///         rows, each with file:line, what was expected, what was found, and what to do; also where
///         no row is left
Dataset load(const std::vector<std::string>& files, const DataOptions& options,
             const TextTools& tools, std::int64_t context_length,
             const LoadSettings& settings = {});

}  // namespace hone::datasets
