#include <string>
#include <utility>

#include "base/error.h"
#include "datasets/format_fields.h"
#include "datasets/formats.h"

namespace hone::datasets {
namespace {

/// Prompt and completion as one conversation. What the assistant said in the prompt is not trained.
Record conversation_of(Row row, Row prompt, Row completion) {
  for (Row& message : prompt)
    if (message["role"] == "assistant") message["train"] = false;
  for (Row& message : completion) prompt.push_back(std::move(message));
  Row value = {{"messages", std::move(prompt)}};
  move_tools(row, value);
  move_others(row, {"prompt", "completion", "tools"}, value);
  return {RecordKind::kConversation, std::move(value)};
}

bool is_trained(const Row& message) {
  return message["role"] == "assistant" && message.value("train", true);
}

/// A conversation as prompt and completion, its last answer.
Row prompt_completion_of(const Row& messages, std::string& lost) {
  HONE_CHECK(DataError, messages.size() >= 2 && is_trained(messages.back()),
             "prompt_completion needs a conversation that ends with an answer to train on");
  Row prompt = messages;
  prompt.erase(prompt.size() - 1);
  for (Row& message : prompt) {
    if (is_trained(message)) lost = "the training on answers before the last one";
    if (message["role"] == "assistant") message.erase("train");
  }
  return {{"prompt", std::move(prompt)}, {"completion", Row::array({messages.back()})}};
}

}  // namespace

Record prompt_completion_to_record(Row row) {
  Turns prompt = turns_at(row, "prompt"), completion = turns_at(row, "completion");
  HONE_CHECK(DataError, prompt.is_text == completion.is_text,
             "one of \"prompt\" and \"completion\" is a text and the other one a list of messages; "
             "write both the same way");
  if (!prompt.is_text)
    return conversation_of(std::move(row), std::move(prompt.value), std::move(completion.value));
  Row value = {{"prompt", std::move(prompt.value)}, {"completion", std::move(completion.value)}};
  move_others(row, {"prompt", "completion"}, value);
  return {RecordKind::kCompletion, std::move(value)};
}

Row prompt_completion_from_record(const Record& record, std::string& lost) {
  if (record.kind == RecordKind::kCompletion) return record.value;
  if (record.kind != RecordKind::kConversation) refuse_kind(record, "prompt_completion");
  Row row = prompt_completion_of(record.value.at("messages"), lost);
  for (const auto& [key, item] : record.value.items())
    if (key != "messages") row[key] = item;
  return row;
}

Record text_to_record(Row row) {
  text_at(row, "text");
  return {RecordKind::kText, std::move(row)};
}

Row text_from_record(const Record& record, std::string&) {
  if (record.kind != RecordKind::kText) refuse_kind(record, "text");
  return record.value;
}

Record tokens_to_record(Row row) {
  RecordKind kind = RecordKind::kTokens;
  if (row.contains("chosen_ids")) kind = RecordKind::kPreference;
  if (row.contains("completion_ids"))
    kind = row.contains("score") ? RecordKind::kScored : RecordKind::kUnpaired;
  for (auto& [key, value] : row.items())  // a container of text has lists as JSON
    if (value.is_string() && value.get_ref<const std::string&>().starts_with('['))
      value = list_at(row, key.c_str());
  if (kind == RecordKind::kUnpaired) row["label"] = flag_at(row, "label");
  if (kind == RecordKind::kScored) row["score"] = scores_at(row);
  return {kind, std::move(row)};
}

Row tokens_from_record(const Record& record, std::string&) {
  const bool has_tokens = record.kind == RecordKind::kTokens || record.value.contains("prompt_ids");
  HONE_CHECK(DataError, has_tokens,
             "a row of text cannot be written as tokens without a tokenizer; `hone data build` "
             "makes tokens of text");
  return record.value;
}

}  // namespace hone::datasets
