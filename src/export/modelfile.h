#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace hone::exporting {

/// What `ollama create` is told of a model.
struct Modelfile {
  std::string from;                     ///< a GGUF file or a folder; relative paths begin with ./
  std::string adapter;                  ///< a GGUF file; empty: none
  std::string chat_template;            ///< Jinja; empty: none
  std::vector<std::string> stop_texts;  ///< tokens that end a reply
  std::int64_t context_length = 0;
  std::string license;  ///< empty: not known
};

/// How a chat template prints a conversation, where it prints each turn by itself.
struct TurnFormat {
  struct Turn {
    std::string before, after;  ///< its content
  };
  Turn system, user, assistant;
  std::string without_system;  ///< what stands at the beginning where there is no system message

  /// Ollama's template language (Go's text/template) for the same text.
  std::string go_template() const;
};

/// Finds out how a Jinja template prints turns by giving it conversations, and holds what was found
/// against it on longer ones.
/// @param tokenizer what the template's special tokens are taken from; a BOS token that it puts
///        before each text by itself is not part of the format
/// @return nothing where the template does anything else, such as putting the system message into
///         the user's turn
std::optional<TurnFormat> find_turn_format(const std::string& chat_template,
                                           const std::filesystem::path& tokenizer);

/// The text of a Modelfile: FROM, ADAPTER, TEMPLATE, PARAMETER, LICENSE. Without a TEMPLATE, which
/// is told in a warning, Ollama takes the one of its own that is nearest to the GGUF file's Jinja.
/// @param tokenizer as above; empty: there is none, and no template
/// @source https://docs.ollama.com/modelfile, https://docs.ollama.com/template
std::string modelfile_text(const Modelfile& modelfile, const std::filesystem::path& tokenizer);

/// `general.license` of a .gguf file, or `license:` at the head of a folder's README.md; empty
/// where neither says it.
std::string license_of(const std::filesystem::path& model);

}  // namespace hone::exporting
