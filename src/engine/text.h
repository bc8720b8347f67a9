#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/chat_template.h"
#include "tokenizer/named_template.h"
#include "tokenizer/tokenizer.h"

namespace hone::engine {

/// What turns conversations into tokens; both are absent where a model has no tokenizer, which is
/// enough for rows that are tokens already.
struct Text {
  std::filesystem::path source;  ///< what they were read from
  std::optional<tokenizer::Tokenizer> tokenizer;
  std::optional<tokenizer::ChatTemplate> chat_template;
  std::vector<tokenizer::NewToken> added;  ///< tokens that `source` does not have
  /// Where the chat template is one that hone brings along.
  const tokenizer::NamedTemplate* named_template = nullptr;

  /// Every id that ends a response: the tokenizer's, and those of a named template.
  std::vector<std::int32_t> stop_ids() const;

  /// The ids of the added tokens.
  std::vector<std::int64_t> added_ids() const;
  /// The tokenizer's content, added tokens included, as a hash. @pre there is one
  std::string tokenizer_sha256() const;

  /// @param purpose who needs it, for the message. @throws DataError where there is none
  const tokenizer::Tokenizer& require_tokenizer(const std::string& purpose) const;
  const tokenizer::ChatTemplate& require_chat_template(const std::string& purpose) const;
};

/// @param model         as resolve_model gives it
/// @param chat_template a name that hone knows or a Jinja file, to use instead of the model's own
///        template, or ""
/// @param added         tokens that the tokenizer is given besides
/// @throws DataError where the tokenizer is there but cannot be read
/// @throws ConfigError where a token cannot be added
Text open_text(const std::filesystem::path& model, const std::string& chat_template,
               const std::vector<tokenizer::NewToken>& added = {});

/// The path of a model: what `base` names, or a name that tools/setup installed.
/// @throws DataError where neither is there
std::filesystem::path resolve_model(const std::string& base);

/// A conversation through the chat template, as tokens, as training renders it. Nothing that a
/// message says becomes a special token.
/// @param row an object with `messages` and, where there are some, `tools`
/// @param add_generation_prompt asks the model for the next turn
std::vector<std::int64_t> encode_conversation(const nlohmann::ordered_json& row, const Text& text,
                                              bool add_generation_prompt);

}  // namespace hone::engine
