#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace hone::engine {

/// What turns conversations into tokens; both are absent where a model has no tokenizer, which is
/// enough for rows that are tokens already.
struct Text {
  std::filesystem::path source;  ///< what they were read from
  std::optional<tokenizer::Tokenizer> tokenizer;
  std::optional<tokenizer::ChatTemplate> chat_template;

  /// @param purpose who needs it, for the message. @throws DataError where there is none
  const tokenizer::Tokenizer& require_tokenizer(const std::string& purpose) const;
  const tokenizer::ChatTemplate& require_chat_template(const std::string& purpose) const;
};

/// @param model         as resolve_model gives it
/// @param template_file a Jinja file to use instead of the model's own template, or ""
/// @throws DataError where the tokenizer is there but cannot be read
Text open_text(const std::filesystem::path& model, const std::string& template_file);

/// The path of a model: what `base` names, or a name that tools/setup installed.
/// @throws DataError where neither is there
std::filesystem::path resolve_model(const std::string& base);

/// A conversation through the chat template, as tokens. Nothing that a message says becomes a
/// special token.
/// @param row an object with `messages` and, where there are some, `tools`
/// @param add_generation_prompt asks the model for the next turn
std::vector<std::int64_t> encode_conversation(const nlohmann::ordered_json& row, const Text& text,
                                              bool add_generation_prompt);

}  // namespace hone::engine
