#pragma once

#include <ctime>
#include <nlohmann/json.hpp>

#include "datasets/conversation.h"
#include "tokenizer/chat_template.h"

namespace hone::datasets {

/// A conversation through a chat template.
struct RenderedConversation {
  /// As the template was given them. Content in parts stands as it is where the template prints
  /// the parts' text; for templates that know text alone it is joined by newlines, as serving
  /// engines join it.
  nlohmann::ordered_json messages;
  tokenizer::RenderOptions options;
  tokenizer::Rendered rendered;
};

/// The one way from a row to text: training, evaluation and generation all take it.
/// @param special_names "bos_token", "eos_token", ... of the tokenizer
/// @throws DataError where the template refuses the conversation, with its own words
RenderedConversation render_conversation(const Conversation& conversation,
                                         const tokenizer::ChatTemplate& chat_template,
                                         const nlohmann::ordered_json& special_names,
                                         bool add_generation_prompt = false);

/// What strftime_now tells a template: the date that Llama's own templates fall back to. Were it
/// today's, a run resumed tomorrow would not train on the same tokens.
std::tm pinned_date();

}  // namespace hone::datasets
