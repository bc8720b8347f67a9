#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hone::datasets {

/// What a message says of how it is trained on.
struct MessageTraining {
  std::optional<bool> train;
  std::optional<float> weight;
};

/// A row of messages, checked, as a chat template can be given it.
struct Conversation {
  /// Without "train" and "weight", and with the arguments of tool calls as JSON where the row had
  /// them as text: so do serving engines before they render.
  nlohmann::ordered_json messages;
  nlohmann::ordered_json tools, documents;  ///< arrays, or null
  nlohmann::ordered_json variables;         ///< an object: the row's "chat_template_kwargs"
  std::vector<MessageTraining> training;    ///< one for each message
};

/// Reads {"messages": [{"role": …, "content": …}, …], "tools": […]}. Content is text, or a list of
/// text parts ({"type": "text", "text": …}); only an assistant message that calls tools may do
/// without. A message may say "train" (true, false) and "weight" (0 or more).
/// @throws DataError saying which message, what was expected, what was found, what to do
Conversation read_conversation(const nlohmann::ordered_json& row);

/// Takes "train" and "weight" out of the messages, which are no template's business.
/// @throws DataError as read_conversation
std::vector<MessageTraining> take_training(nlohmann::ordered_json& messages);

/// The messages with content in parts as one text each: joined by newlines, as serving engines join
/// it for templates that know text alone.
nlohmann::ordered_json join_text_parts(nlohmann::ordered_json messages);

/// Whether a role is one that messages can have.
bool is_role(std::string_view name);
/// All of them, for messages.
std::string role_names();

}  // namespace hone::datasets
