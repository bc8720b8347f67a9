#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tokenizer/chat_template.h"

namespace hone::tokenizer {

class Tokenizer;

/// What can end a turn.
struct StopTokens {
  std::vector<std::string> special;  ///< the spellings of all special tokens
  std::vector<std::string> eos;      ///< those of them at which a server stops; may be empty
};

/// @param stop_ids ids at which a server stops
StopTokens make_stop_tokens(const Tokenizer& tokenizer, std::span<const std::int32_t> stop_ids);

/// Where one message stands in the rendered text, as what a server would have to generate for it.
struct Turn {
  std::size_t message;
  /// An assistant's: where the rendering of the messages before it, with add_generation_prompt,
  /// ends. Where that is not how the whole text begins (`prefix_ok` is false), and for every other
  /// role, the message's first own character.
  std::size_t begin;
  /// After the stop token that follows the message's last own character: the first special token,
  /// with those directly behind it up to one at which a server stops (Command-R ends an action and
  /// then its turn). Where there is none (`has_stop` is false), after that character.
  std::size_t end;
  bool has_stop;
  bool prefix_ok;
};

/// @param rendered the rendering of `messages` with `options`, without a generation prompt
/// @param wanted   places of messages, ascending
/// @return one entry for each of them that the template prints, in order
/// @throws DataError as ChatTemplate::render
std::vector<Turn> find_turns(const ChatTemplate& chat_template, const OrderedJson& messages,
                             const RenderOptions& options, const Rendered& rendered,
                             const StopTokens& stops, std::span<const std::size_t> wanted);

/// The same for every message of role "assistant".
std::vector<Turn> find_assistant_turns(const ChatTemplate& chat_template,
                                       const OrderedJson& messages, const RenderOptions& options,
                                       const Rendered& rendered, const StopTokens& stops);

}  // namespace hone::tokenizer
