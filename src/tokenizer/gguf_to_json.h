#pragma once

#include <filesystem>

#include "io/gguf.h"
#include "tokenizer/json_fields.h"

namespace hone::tokenizer {

/// What a tokenizer.json says of a GGUF file's vocabulary.
/// @throws DataError where that is no BPE
Json gguf_bpe_json(const io::GgufFile& file);

/// Writes what transformers reads a tokenizer from, for the vocabulary of a GGUF file:
/// tokenizer.json and tokenizer_config.json.
/// @param folder is there already
/// @throws DataError where the vocabulary is no BPE; IoError
void write_gguf_tokenizer(const std::filesystem::path& gguf, const std::filesystem::path& folder);

}  // namespace hone::tokenizer
