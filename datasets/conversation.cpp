#include "datasets/conversation.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>
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
  HONE_CHECK(DataError, is_role(name), "messages[{}].role is \"{}\", expected one of {}{}", i, name,
             role_names(), other_name_hint(name));
}

void check_parts(const Json& parts, std::size_t i) {
  for (std::size_t k = 0; k < parts.size(); ++k) {
    const Json& part = parts[k];
    const bool has_type = part.is_object() && part.contains("type") && part["type"].is_string();
    HONE_CHECK(DataError, has_type,
               "messages[{}].content[{}] is {}, expected {{\"type\": \"text\", \"text\": ...}}", i,
               k, part.is_object() ? "an object without a \"type\"" : part.type_name());
    const auto& type = part["type"].get_ref<const std::string&>();
    HONE_CHECK(DataError, type == "text",
               "messages[{}].content[{}] is of type \"{}\", and hone trains on text alone; take "
               "the part out, or remove the row",
               i, k, type);
    HONE_CHECK(DataError, part.contains("text") && part["text"].is_string(),
               "messages[{}].content[{}] has no \"text\", expected text", i, k);
  }
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
  if (content->is_array()) return check_parts(*content, i);
  HONE_CHECK(DataError, content->is_string(),
             "messages[{}].content is {}, expected text or a list of text parts; write structured "
             "content as one string, with JSON inside it where that is meant",
             i, content->type_name());
}

/// Arguments that came as text become what the text says.
void read_arguments(Json& function, std::size_t i, std::size_t k) {
  const auto arguments = function.find("arguments");
  if (arguments == function.end() || !arguments->is_string()) return;
  const auto& text = arguments->get_ref<const std::string&>();
  Json value = Json::parse(text.empty() ? "{}" : text, nullptr, false);
  HONE_CHECK(DataError, value.is_object(),
             "messages[{}].tool_calls[{}].function.arguments is text, and not that of a JSON "
             "object: {}",
             i, k, text);
  *arguments = std::move(value);
}

void read_tool_calls(Json& message, std::size_t i) {
  const auto calls = message.find("tool_calls");
  if (calls == message.end() || calls->is_null()) return;
  HONE_CHECK(DataError, calls->is_array(),
             "messages[{}].tool_calls is {}, expected an array of calls", i, calls->type_name());
  for (std::size_t k = 0; k < calls->size(); ++k) {
    Json& call = (*calls)[k];
    HONE_CHECK(DataError, call.is_object(),
               "messages[{}].tool_calls[{}] is {}, expected {{\"type\": \"function\", "
               "\"function\": {{\"name\": ..., \"arguments\": ...}}}}",
               i, k, call.type_name());
    const auto function = call.find("function");
    read_arguments(function != call.end() && function->is_object() ? *function : call, i, k);
  }
}

MessageTraining take_training_of(Json& message, std::size_t i) {
  MessageTraining training;
  if (const auto train = message.find("train"); train != message.end()) {
    HONE_CHECK(DataError, train->is_boolean(), "messages[{}].train is {}, expected true or false",
               i, train->dump());
    training.train = train->get<bool>();
    message.erase(train);
  }
  if (const auto weight = message.find("weight"); weight != message.end()) {
    const double value = weight->is_number() ? weight->get<double>() : -1;
    HONE_CHECK(DataError, value >= 0 && value <= std::numeric_limits<float>::max(),
               "messages[{}].weight is {}, expected a number of 0 or more", i, weight->dump());
    training.weight = static_cast<float>(value);
    message.erase(weight);
  }
  return training;
}

/// An array or null, under `key` of the row.
Json optional_array(const Json& row, std::string_view key, std::string_view of_what) {
  const auto value = row.find(key);
  if (value == row.end() || value->is_null()) return nullptr;
  HONE_CHECK(DataError, value->is_array(), "\"{}\" is {}, expected an array of {}", key,
             value->type_name(), of_what);
  return *value;
}

Json read_variables(const Json& row) {
  const auto variables = row.find("chat_template_kwargs");
  if (variables == row.end() || variables->is_null()) return Json::object();
  HONE_CHECK(DataError, variables->is_object(),
             "\"chat_template_kwargs\" is {}, expected an object of variables for the template",
             variables->type_name());
  for (const auto& item : variables->items())
    HONE_CHECK(DataError, !item.key().ends_with("_token"),
               "chat_template_kwargs.{} would stand for a special token; those are the "
               "tokenizer's to name",
               item.key());
  return *variables;
}

}  // namespace

Json join_text_parts(Json messages) {
  for (Json& message : messages) {
    const auto content = message.find("content");
    if (content == message.end() || !content->is_array()) continue;
    std::vector<std::string> texts;
    for (const Json& part : *content) texts.push_back(part["text"]);
    *content = fmt::format("{}", fmt::join(texts, "\n"));
  }
  return messages;
}

bool is_role(std::string_view name) {
  return std::find(kRoles.begin(), kRoles.end(), name) != kRoles.end();
}

std::string role_names() { return fmt::format("{}", fmt::join(kRoles, ", ")); }

std::vector<MessageTraining> take_training(Json& messages) {
  std::vector<MessageTraining> training;
  for (std::size_t i = 0; i < messages.size(); ++i)
    training.push_back(take_training_of(messages[i], i));
  return training;
}

Conversation read_conversation(const Json& row) {
  Conversation conversation;
  conversation.messages = row.at("messages");
  Json& messages = conversation.messages;
  HONE_CHECK(DataError, messages.is_array(), "\"messages\" is {}, expected an array of messages",
             messages.type_name());
  HONE_CHECK(DataError, !messages.empty(), "\"messages\" is empty; remove the row");
  for (std::size_t i = 0; i < messages.size(); ++i) {
    Json& message = messages[i];
    HONE_CHECK(DataError, message.is_object(),
               "messages[{}] is {}, expected {{\"role\": ..., \"content\": ...}}", i,
               message.type_name());
    check_role(message, i);
    check_content(message, i);
    read_tool_calls(message, i);
  }
  conversation.training = take_training(messages);
  conversation.tools = optional_array(row, "tools", "tool definitions");
  conversation.documents = optional_array(row, "documents", "documents");
  conversation.variables = read_variables(row);
  return conversation;
}

}  // namespace hone::datasets
