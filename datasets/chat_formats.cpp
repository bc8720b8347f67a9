#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "datasets/format_fields.h"
#include "datasets/formats.h"
#include "io/json.h"

namespace hone::datasets {
namespace {

/// ShareGPT's names for the roles; the first of a role is the one that is written.
struct Speaker {
  std::string_view from, role;
};
constexpr std::array kSpeakers = {
    Speaker{"human", "user"},
    Speaker{"gpt", "assistant"},
    Speaker{"system", "system"},
    Speaker{"observation", "tool"},
    Speaker{"user", "user"},
    Speaker{"assistant", "assistant"},
    Speaker{"tool", "tool"},
    Speaker{"model", "assistant"},
    Speaker{"bot", "assistant"},
    Speaker{"chatgpt", "assistant"},
    Speaker{"bing", "assistant"},
    Speaker{"bard", "assistant"},
    Speaker{"function_response", "tool"},
};
constexpr std::string_view kFunctionCall = "function_call";

/// Assistant's calls from the JSON of a function_call turn: one {"name", "arguments"}, or a list.
Row tool_calls_of(const std::string& text, std::size_t i) {
  Row calls;
  try {
    calls = io::parse_ordered_json(text, {"value"});
  } catch (const DataError& error) {
    throw DataError(fmt::format(
        "conversations[{}] is a function_call, and its value is not JSON: {}", i, error.what()));
  }
  if (calls.is_object()) calls = Row::array({std::move(calls)});
  Row wrapped = Row::array();
  for (Row& call : calls) {
    HONE_CHECK(DataError, call.is_object() && call.contains("name"),
               "conversations[{}] is a function_call, expected {{\"name\": ..., \"arguments\": "
               "...}}, got {}",
               i, call.dump());
    wrapped.push_back({{"type", "function"}, {"function", std::move(call)}});
  }
  return wrapped;
}

/// One of two keys; datasets with "conversations" are written both ways.
const std::string& either_text(const Row& turn, const char* key, const char* other, std::size_t i) {
  const Row* value = find_value(turn, key);
  if (value == nullptr) value = find_value(turn, other);
  HONE_CHECK(DataError, value != nullptr && value->is_string(),
             "conversations[{}] has no text under \"{}\"", i, key);
  return value->get_ref<const std::string&>();
}

Row message_of_turn(const Row& turn, std::size_t i) {
  HONE_CHECK(DataError, turn.is_object(),
             "conversations[{}] is {}, expected {{\"from\": ..., \"value\": ...}}", i,
             turn.type_name());
  const std::string& from = either_text(turn, "from", "role", i);
  const std::string& value = either_text(turn, "value", "content", i);
  Row message;
  if (from == kFunctionCall) {
    message = message_of("assistant", "");
    message["tool_calls"] = tool_calls_of(value, i);
  } else {
    const auto speaker = std::ranges::find(kSpeakers, from, &Speaker::from);
    if (speaker == kSpeakers.end()) {
      std::vector<std::string_view> names;
      for (const Speaker& known : kSpeakers) names.push_back(known.from);
      throw DataError(fmt::format("conversations[{}].from is \"{}\", expected one of {}, {}", i,
                                  from, fmt::join(names, ", "), kFunctionCall));
    }
    message = message_of(speaker->role, value);
  }
  for (const auto& [key, item] : turn.items())
    if (key != "from" && key != "role" && key != "value" && key != "content") message[key] = item;
  return message;
}

Row turn_of_message(const Row& message, std::string& lost) {
  const Row* calls = find_value(message, "tool_calls");
  const std::string content = text_or_empty(message, "content");
  Row turn;
  if (calls != nullptr && !calls->empty()) {
    Row functions = Row::array();
    for (const Row& call : *calls)
      functions.push_back(call.contains("function") ? call["function"] : call);
    const Row& written = functions.size() == 1 ? functions[0] : functions;
    turn = {{"from", kFunctionCall}, {"value", written.dump()}};
    if (!content.empty()) lost = "text beside tool calls";
  } else {
    const std::string& role = text_at(message, "role");
    const auto speaker = std::ranges::find(kSpeakers, role, &Speaker::role);
    HONE_CHECK(DataError, speaker != kSpeakers.end(), "sharegpt has no role \"{}\"", role);
    turn = {{"from", speaker->from}, {"value", content}};
  }
  for (const auto& [key, item] : message.items())
    if (key != "role" && key != "content" && key != "tool_calls") turn[key] = item;
  return turn;
}

/// Puts a row's own system text before the messages.
void add_system(Row& row, Row& messages) {
  const std::string system = text_or_empty(row, "system");
  if (system.empty()) return;
  HONE_CHECK(DataError, messages.empty() || messages[0]["role"] != "system",
             "the row has \"system\", and its conversation begins with a system message as well; "
             "keep one of them");
  messages.insert(messages.begin(), message_of("system", system));
}

/// Question, answer, as [question, answer] of "history" has them.
void add_exchange(const Row& pair, std::size_t i, Row& messages) {
  HONE_CHECK(DataError,
             pair.is_array() && pair.size() == 2 && pair[0].is_string() && pair[1].is_string(),
             "history[{}] is {}, expected [question, answer]", i, pair.dump());
  messages.push_back(message_of("user", pair[0]));
  messages.push_back(message_of("assistant", pair[1]));
}

/// A record's messages as a conversation; a prompt with its completion is one of two turns.
Row messages_of(const Record& record, std::string_view format) {
  if (record.kind == RecordKind::kConversation) return record.value.at("messages");
  if (record.kind != RecordKind::kCompletion) refuse_kind(record, format);
  return {message_of("user", text_at(record.value, "prompt")),
          message_of("assistant", text_at(record.value, "completion"))};
}

/// Keys of a record that are not part of what it trains on.
Row others_of(const Record& record) {
  Row others = Row::object();
  for (const auto& [key, item] : record.value.items())
    if (key != "messages" && key != "prompt" && key != "completion") others[key] = item;
  return others;
}

}  // namespace

void refuse_kind(const Record& record, std::string_view format) {
  throw DataError(
      fmt::format("a row of kind {} cannot be written as {}", name_of(record.kind), format));
}

Record messages_to_record(Row row) {
  Row value = {{"messages", list_at(row, "messages")}};
  move_tools(row, value);
  move_others(row, {"messages", "tools"}, value);
  return {RecordKind::kConversation, std::move(value)};
}

Row messages_from_record(const Record& record, std::string&) {
  Row row = {{"messages", messages_of(record, "messages")}};
  row.update(others_of(record));
  return row;
}

Record sharegpt_to_record(Row row) {
  Row messages = Row::array();
  const Row turns = list_at(row, "conversations");
  for (std::size_t i = 0; i < turns.size(); ++i) messages.push_back(message_of_turn(turns[i], i));
  add_system(row, messages);
  Row value = {{"messages", std::move(messages)}};
  move_functions(row, value);
  move_others(row, {"conversations", "system", "tools"}, value);
  return {RecordKind::kConversation, std::move(value)};
}

Row sharegpt_from_record(const Record& record, std::string& lost) {
  Row turns = Row::array();
  for (const Row& message : messages_of(record, "sharegpt"))
    turns.push_back(turn_of_message(message, lost));
  Row row = {{"conversations", std::move(turns)}};
  row.update(others_of(record));
  return row;
}

Record alpaca_to_record(Row row) {
  Row messages = Row::array();
  const Row history = list_or_empty(row, "history");
  for (std::size_t i = 0; i < history.size(); ++i) add_exchange(history[i], i, messages);
  const std::string instruction = text_at(row, "instruction"), input = text_or_empty(row, "input");
  const bool has_both = !instruction.empty() && !input.empty();
  messages.push_back(message_of("user", instruction + (has_both ? "\n" : "") + input));
  messages.push_back(message_of("assistant", text_at(row, "output")));
  add_system(row, messages);
  Row value = {{"messages", std::move(messages)}};
  move_functions(row, value);
  move_others(row, {"instruction", "input", "output", "system", "history", "tools"}, value);
  return {RecordKind::kConversation, std::move(value)};
}

Row alpaca_from_record(const Record& record, std::string& lost) {
  const Row messages = messages_of(record, "alpaca");
  const std::size_t first = !messages.empty() && messages[0]["role"] == "system" ? 1 : 0;
  const std::size_t turns = messages.size() - first;
  HONE_CHECK(DataError, turns >= 2 && turns % 2 == 0,
             "alpaca holds a system text and pairs of question and answer; this conversation has "
             "{} other messages",
             turns);
  Row history = Row::array();
  for (std::size_t i = first; i < messages.size(); i += 2) {
    const Row &question = messages[i], &answer = messages[i + 1];
    HONE_CHECK(DataError,
               question["role"] == "user" && answer["role"] == "assistant" &&
                   find_value(answer, "tool_calls") == nullptr,
               "alpaca holds pairs of question and answer; messages[{}] and the one after it are "
               "none",
               i);
    if (question.size() > 2 || answer.size() > 2) lost = "keys of messages beside role and content";
    history.push_back({text_at(question, "content"), text_at(answer, "content")});
  }
  const Row last = history.back();
  history.erase(history.size() - 1);
  Row row = {{"instruction", last[0]}, {"input", ""}, {"output", last[1]}};
  if (first == 1) row["system"] = messages[0]["content"];
  if (!history.empty()) row["history"] = std::move(history);
  row.update(others_of(record));
  return row;
}

}  // namespace hone::datasets
