#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/text.h"

namespace hone::engine {

/// Whether a server makes the same tokens of a conversation as training did.
struct TextComparison {
  std::int64_t conversations = 0;        ///< those that were rendered both ways
  std::vector<std::string> differences;  ///< one sentence each: vocabulary, stops, text, tokens
};

/// @param served        as its files say, which may lack a tokenizer or a template
/// @param conversations rows with `messages` (and `tools`); none: two of hone's own
TextComparison compare_texts(const Text& trained, const Text& served,
                             std::vector<nlohmann::ordered_json> conversations);

/// The first rows of a file that have `messages`. None where the file is of another kind.
std::vector<nlohmann::ordered_json> conversations_in(const std::string& file, std::size_t most);

}  // namespace hone::engine
