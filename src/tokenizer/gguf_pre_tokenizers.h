#pragma once

#include <string_view>
#include <vector>

#include "tokenizer/json_fields.h"

namespace hone::tokenizer {

/// What a tokenizer.ggml.pre stands for.
struct GgufPreTokenizer {
  /// The first is the one that a file is written with.
  std::vector<std::string_view> names;
  /// Each splits what the one before it left.
  std::vector<const char*> patterns;
  bool ignore_merges = false;
  bool nfc = false;
  /// A text begins with BOS where the file does not say.
  bool adds_bos = false;
  /// The vocabulary holds text, with spaces spelt U+2581, and not bytes in GPT-2's alphabet.
  bool spells_spaces = false;
};

/// @return nullptr where there is none of that name
const GgufPreTokenizer* find_gguf_pre_tokenizer(std::string_view name);

/// The one that splits by these patterns, and the nearest to the rest where several do. What it
/// has otherwise shows on some vocabularies only: the caller tries.
/// @return nullptr where llama.cpp has none
const GgufPreTokenizer* find_gguf_pre_tokenizer(const std::vector<std::string>& patterns,
                                                bool ignore_merges, bool nfc);

/// Every name, with spaces between.
std::string gguf_pre_tokenizer_names();

}  // namespace hone::tokenizer
