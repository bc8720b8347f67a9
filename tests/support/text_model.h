#pragma once

#include <filesystem>
#include <string>

#include "support/support.h"

namespace hone::test {

/// What a written model's head says.
enum class Head { kLanguage, kReward };

/// Writes a tiny Llama with random weights (a function of the seed), the byte-level tokenizer of
/// tests/data (1508 tokens) and a chat template that prints "<|im_start|>ROLE\nTEXT<|im_end|>\n",
/// so that verbs can be tried on texts. It answers nonsense.
/// @return the folder
std::filesystem::path write_text_model(const TempFolder& folder, const std::string& name,
                                       std::uint64_t seed = 1, Head head = Head::kLanguage,
                                       std::int64_t vocab_size = 1600);

/// A piece of ASCII in a text, from about its middle on; what the model above says is not all of
/// it.
std::string ascii_piece(const std::string& text, std::size_t size);

}  // namespace hone::test
