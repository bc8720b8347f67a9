#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "io/gguf_write.h"
#include "tokenizer/tokenizer.h"

namespace hone::tokenizer {

/// What a GGUF file is to say of a model's text.
struct GgufText {
  /// Hugging Face folder with a tokenizer.json or a tokenizer.model, or a .gguf file.
  std::filesystem::path source;
  std::string chat_template = {};            ///< Jinja; empty: that of `source`
  std::vector<std::string> stop_texts = {};  ///< tokens that end a reply, beside those of `source`
};

/// Adds a tokenizer to a GGUF file's metadata (`tokenizer.ggml.…`, `tokenizer.chat_template`): a
/// .gguf file's own as it is, byte-level BPE with the name of its pre-tokenizer, SentencePiece with
/// its scores (those of a tokenizer.json by the ranks of its merges). What was added is loaded
/// again and tried on the vocabulary's own entries and on texts of many scripts.
/// @param rows    of the embedding: ids that no token has are given placeholders
/// @param scratch a folder for a file that is removed again
/// @throws DataError naming what llama.cpp has no counterpart for, or a text whose ids differ
void add_gguf_vocabulary(const GgufText& text, std::int64_t rows,
                         const std::filesystem::path& scratch, io::GgufContents& contents);

}  // namespace hone::tokenizer
