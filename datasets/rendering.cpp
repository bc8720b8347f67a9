#include "datasets/rendering.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>

#include "base/error.h"

namespace hone::datasets {
namespace {

using Json = nlohmann::ordered_json;
using tokenizer::Rendered;

bool has_parts(const Json& message) {
  return message.contains("content") && message["content"].is_array();
}

/// Whether the text of each part stands in the rendering, and nothing else of the list.
bool prints_parts(const Rendered& rendered, const Json& messages) {
  std::set<std::pair<int, std::string>> printed;
  for (const tokenizer::Span& span : rendered.spans)
    if (span.message >= 0) printed.emplace(span.message, span.field);
  for (int i = 0; i < static_cast<int>(messages.size()); ++i) {
    const Json& message = messages[static_cast<std::size_t>(i)];
    if (!has_parts(message)) continue;
    if (printed.count({i, "content"}) > 0) return false;  // the list's own brackets
    for (std::size_t k = 0; k < message["content"].size(); ++k) {
      const std::string part = fmt::format("content/{}", k);
      const bool is_empty = message["content"][k]["text"].get_ref<const std::string&>().empty();
      if (printed.count({i, part}) > 0 || printed.count({i, part + "/type"}) > 0) return false;
      if (!is_empty && printed.count({i, part + "/text"}) == 0) return false;
    }
  }
  return true;
}

/// The rendering with parts as they are; nothing where the template does not know parts.
std::optional<Rendered> render_parts(const Json& messages,
                                     const tokenizer::ChatTemplate& chat_template,
                                     const tokenizer::RenderOptions& options) {
  try {
    Rendered rendered = chat_template.render(messages, options);
    if (prints_parts(rendered, messages)) return rendered;
  } catch (const DataError&) {  // joined text shows whether the parts were to blame
  }
  return std::nullopt;
}

}  // namespace

std::tm pinned_date() {
  std::tm date{};
  date.tm_year = 2024 - 1900;
  date.tm_mon = 6;
  date.tm_mday = 26;
  date.tm_wday = 5;
  date.tm_yday = 207;
  return date;
}

RenderedConversation render_conversation(const Conversation& conversation,
                                         const tokenizer::ChatTemplate& chat_template,
                                         const Json& special_names, bool add_generation_prompt) {
  RenderedConversation result;
  result.options.add_generation_prompt = add_generation_prompt;
  result.options.tools = conversation.tools;
  result.options.documents = conversation.documents;
  result.options.variables = special_names;
  result.options.variables.update(conversation.variables);
  result.options.now = pinned_date();
  const Json& messages = conversation.messages;
  if (std::any_of(messages.begin(), messages.end(), has_parts)) {
    if (auto rendered = render_parts(messages, chat_template, result.options)) {
      result.messages = messages;
      result.rendered = std::move(*rendered);
      return result;
    }
  }
  result.messages = join_text_parts(messages);
  result.rendered = chat_template.render(result.messages, result.options);
  return result;
}

}  // namespace hone::datasets
