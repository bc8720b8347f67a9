#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "datasets/flawed_row.h"
#include "datasets/format_fields.h"
#include "datasets/record_example.h"

namespace hone::datasets {
namespace {

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

/// Whether a message says nothing: no text, and no call of a tool.
bool is_blank_message(const Row& message) {
  const Row* content = find_value(message, "content");
  const bool has_text =
      content != nullptr &&
      (content->is_string() ? !is_blank(content->get<std::string>()) : !content->empty());
  return !has_text && find_value(message, "tool_calls") == nullptr;
}

void check_not_empty(const Row& row, const char* key) {
  const Row& answer = row.at(key);
  const bool is_empty = answer.is_string() ? is_blank(answer.get<std::string>())
                                           : std::ranges::all_of(answer, is_blank_message);
  HONE_CHECK(EmptyAnswer, !is_empty, "\"{}\" is empty, so there is no answer", key);
}

/// Prompt and answer as one conversation that trains on the answer alone.
Row conversation_of(const Row& row, const char* answer, const std::vector<std::string>& train_on) {
  Row messages = row.value("prompt", Row::array());
  for (Row& message : messages) {
    const std::string role = message.at("role");
    if (role == "assistant" || std::ranges::count(train_on, role) > 0) message["train"] = false;
  }
  for (const Row& message : row.at(answer)) messages.push_back(message);
  Row conversation = {{"messages", std::move(messages)}};
  for (const char* key : {"tools", "documents", "chat_template_kwargs"})
    if (row.contains(key)) conversation[key] = row[key];
  return conversation;
}

/// The prompt with the answer under that key, as a document.
Example document_with(const Row& row, const char* answer, const RowContext& context) {
  if (row.contains("prompt_ids"))
    return read_token_answer(row, (answer + std::string("_ids")).c_str(), context);
  check_not_empty(row, answer);
  if (row.at(answer).is_array())
    return read_message_row(conversation_of(row, answer, context.options.train_on), context);
  const Row text = {{"prompt", row.value("prompt", "")}, {"completion", row.at(answer)}};
  return read_completion_row(text, context);
}

/// What of an answer stands before its first message of the assistant.
Row lead_of(const Row& answer) {
  Row lead = Row::array();
  for (const Row& message : answer) {
    if (message["role"] == "assistant") break;
    lead.push_back(message);
  }
  return lead;
}

/// Answers to different questions are no comparison.
void check_prompts(const Row& row) {
  if (!row.contains("chosen") || !row["chosen"].is_array()) return;
  HONE_CHECK(PromptsDiffer, lead_of(row["chosen"]) == lead_of(row["rejected"]),
             "\"chosen\" and \"rejected\" answer different messages, so the pair compares two "
             "prompts");
}

}  // namespace

Example read_preference_row(const Row& row, const RowContext& context) {
  check_prompts(row);
  const std::vector<Example> answers = {document_with(row, "chosen", context),
                                        document_with(row, "rejected", context)};
  HONE_CHECK(EqualAnswers, answers[0].ids != answers[1].ids,
             "\"chosen\" and \"rejected\" are the same tokens, so the pair compares nothing");
  Example pair = joined(answers);
  const bool has_margin = find_value(row, "margin") != nullptr;
  pair.values = {has_margin ? static_cast<float>(number_at(row, "margin")) : 0.0f};
  return pair;
}

Example read_unpaired_row(const Row& row, const RowContext& context) {
  Example example = joined({document_with(row, "completion", context)});
  example.values = {row.at("label").get<bool>() ? 1.0f : 0.0f};
  return example;
}

Example read_scored_row(const Row& row, const RowContext& context) {
  Example example = row.contains("messages") ? joined({read_message_row(row, context)})
                                             : joined({document_with(row, "completion", context)});
  const Row& score = row.at("score");
  for (const Row& one : score.is_array() ? score : Row::array({score}))
    example.values.push_back(one.is_null() ? std::numeric_limits<float>::quiet_NaN()
                                           : static_cast<float>(one.get<double>()));
  return example;
}

}  // namespace hone::datasets
