#pragma once

#include <filesystem>
#include <string>

namespace hone::tokenizer {

/// SHA-256 of what a tokenizer and its chat templates can be read from, whatever it is that
/// Tokenizer::load takes of it: every small text beside the model (JSON, Jinja, vocabularies), or
/// all of a GGUF file that stands before its tensors.
/// @param path as Tokenizer::load takes it
/// @throws DataError, IoError
std::string content_hash(const std::filesystem::path& path);

}  // namespace hone::tokenizer
