#include "datasets/conversation.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace hone::datasets {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 7> kRoles = {"system", "developer", "user",   "assistant",
                                                    "tool",   "function",  "ipython"};

/// What other tools' rows call the same roles.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kOtherNames = {{
    {"human", "user"},
    {"prompter", "user"},
    {"gpt", "assistant"},
    {"bot", "assistant"},
    {"model", "assistant"},
}};

std::string other_name_hint(std::string_view role) {
  for (const auto& [other, name] : kOtherNames)
    if (role == other) return fmt::format("; \"{}\" is called \"{}\"", other, name);
  return "";
}

void check_role(const Json& message, std::size_t i) {
  HONE_CHECK(DataError, message.contains("role"), "messages[{}] has no \"role\"", i);
  const Json& role = message["role"];
  HONE_CHECK(DataError, role.is_string(), "messages[{}].role is {}, expected text", i,
             role.type_name());
  const auto& name = role.get_ref<const std::string&>();
  HONE_CHECK(DataError, std::find(kRoles.begin(), kRoles.end(), name) != kRoles.end(),
             "messages[{}].role is \"{}\", expected one of {}{}", i, name, fmt::join(kRoles, ", "),
             other_name_hint(name));
}

void check_content(const Json& message, std::size_t i) {
  const bool calls_tools = message.contains("tool_calls") && message["tool_calls"].is_array() &&
                           !message["tool_calls"].empty();
  const auto content = message.find("content");
  if (content == message.end() || content->is_null()) {
    HONE_CHECK(DataError, calls_tools && message["role"] == "assistant",
               "messages[{}] has no \"content\"; expected text (\"\" where there is none)", i);
    return;
  }
  HONE_CHECK(DataError, content->is_string(),
             "messages[{}].content is {}, expected text; write structured content as one string, "
             "with JSON inside it where that is meant",
             i, content->type_name());
}

}  // namespace

void check_conversation(const Json& row) {
  const Json& messages = row.at("messages");
  HONE_CHECK(DataError, messages.is_array(), "\"messages\" is {}, expected an array of messages",
             messages.type_name());
  HONE_CHECK(DataError, !messages.empty(), "\"messages\" is empty; remove the row");
  bool has_assistant = false;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Json& message = messages[i];
    HONE_CHECK(DataError, message.is_object(),
               "messages[{}] is {}, expected {{\"role\": ..., \"content\": ...}}", i,
               message.type_name());
    check_role(message, i);
    check_content(message, i);
    has_assistant = has_assistant || message["role"] == "assistant";
  }
  HONE_CHECK(DataError, has_assistant,
             "no message has the role \"assistant\", so there is nothing to train on; add the "
             "answer, or remove the row");
  const auto tools = row.find("tools");
  HONE_CHECK(DataError, tools == row.end() || tools->is_null() || tools->is_array(),
             "\"tools\" is {}, expected an array of tool definitions", tools->type_name());
}

}  // namespace hone::datasets
