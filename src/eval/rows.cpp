#include "eval/rows.h"

#include <utility>

#include "base/error.h"
#include "datasets/formats.h"
#include "datasets/record_example.h"
#include "datasets/rendering.h"
#include "io/utf8.h"

namespace hone::eval {
namespace {

using datasets::Record;
using datasets::RecordKind;
using datasets::Row;
using datasets::TextTools;

const tokenizer::Tokenizer& require_tokenizer(const TextTools& tools) {
  HONE_CHECK(ConfigError, tools.tokenizer != nullptr,
             "rows of text need a tokenizer, and the model has none");
  return *tools.tokenizer;
}

/// A text that is continued, and which of its bytes a user wrote.
struct PromptText {
  std::string text;
  tokenizer::EncodeOptions encode;
};

PromptText plain_prompt(const std::string& text) {
  return {text, {.add_special_tokens = true, .literal = {{.begin = 0, .end = text.size()}}}};
}

PromptText conversation_prompt(const Row& row, const TextTools& tools) {
  const tokenizer::Tokenizer& tokenizer = require_tokenizer(tools);
  HONE_CHECK(ConfigError, tools.chat_template != nullptr,
             "rows of messages need a chat template, and the tokenizer has none; name one with "
             "data.template");
  tokenizer::Rendered rendered =
      datasets::render_conversation(datasets::read_conversation(row), *tools.chat_template,
                                    tokenizer.special().names, /*add_generation_prompt=*/true)
          .rendered;
  tokenizer::EncodeOptions options{.literal = tokenizer::literal_ranges(rendered)};
  return {std::move(rendered.text), std::move(options)};
}

std::vector<std::int64_t> encode(const PromptText& prompt, const TextTools& tools) {
  const auto ids = require_tokenizer(tools).encode(prompt.text, prompt.encode).ids;
  HONE_CHECK(DataError, !ids.empty(), "the prompt makes no token; there is nothing to continue");
  return {ids.begin(), ids.end()};
}

std::string last_text(const Row& messages) {
  if (messages.empty()) return "";
  const Row& last = messages.back();
  return last.contains("content") && last["content"].is_string() ? last["content"] : "";
}

Question ask_conversation(Row row, const TextTools& tools) {
  Question question;
  Row& messages = row["messages"];
  const bool is_answered =
      messages.is_array() && messages.size() >= 2 && messages.back().is_object() &&
      messages.back().value("role", "") == "assistant" && messages.back().contains("content") &&
      messages.back()["content"].is_string();
  if (is_answered) {
    question.outcome.expected = messages.back()["content"];
    messages.erase(messages.size() - 1);
  }
  question.outcome.prompt = last_text(messages);
  question.prompt = encode(conversation_prompt(row, tools), tools);
  return question;
}

/// Prompt and answer as one document that is scored from the first token that reaches into the
/// answer.
datasets::Example scored_answer(const PromptText& prompt, const std::string& answer,
                                const TextTools& tools) {
  PromptText whole{prompt.text + answer, prompt.encode};
  whole.encode.literal.push_back({.begin = prompt.text.size(), .end = whole.text.size()});
  tokenizer::Encoding encoding = require_tokenizer(tools).encode(whole.text, whole.encode);
  datasets::Example example;
  for (const tokenizer::TextRange& range : encoding.offsets)
    example.weights.push_back(range.end > prompt.text.size() ? 1.0f : 0.0f);
  example.ids = std::move(encoding.ids);
  HONE_CHECK(DataError, !example.ids.empty() && example.weights.front() == 0,
             "the prompt makes no token of its own, so nothing predicts a choice's first one; give "
             "a longer prompt");
  return example;
}

/// A preference record's answer as a record of its own.
Record answer_record(const Row& row, const char* which) {
  const std::string key(which);
  if (row.contains("prompt_ids")) {
    Row ids = row.at("prompt_ids"), mask = Row::array();
    for (std::size_t i = 0; i < ids.size(); ++i) mask.push_back(0);
    for (const Row& id : row.at(key + "_ids")) {
      ids.push_back(id);
      mask.push_back(1);
    }
    return {RecordKind::kTokens,
            {{"input_ids", std::move(ids)}, {"completion_mask", std::move(mask)}}};
  }
  Row one = {{"prompt", row.at("prompt")}, {"completion", row.at(key)}};
  if (row.contains("tools")) one["tools"] = row["tools"];
  return datasets::prompt_completion_to_record(std::move(one));
}

}  // namespace

Question question_of(const Record& record, const TextTools& tools) {
  const Row& row = record.value;
  if (record.kind == RecordKind::kConversation) return ask_conversation(row, tools);
  HONE_CHECK(DataError, record.kind == RecordKind::kCompletion || record.kind == RecordKind::kText,
             "a {} record asks nothing that can be answered; expected \"messages\", or \"prompt\" "
             "and \"completion\"",
             datasets::name_of(record.kind));
  Question question;
  question.outcome.prompt =
      row.at(record.kind == RecordKind::kText ? "text" : "prompt").get<std::string>();
  if (record.kind == RecordKind::kCompletion) question.outcome.expected = row.at("completion");
  question.prompt = encode(plain_prompt(question.outcome.prompt), tools);
  return question;
}

AnswerRow choices_of(const Row& row, const std::string& delimiter, const TextTools& tools) {
  const bool has_messages = row.contains("messages");
  HONE_CHECK(DataError, has_messages || (row.contains("prompt") && row["prompt"].is_string()),
             "multiple choice needs a text under \"prompt\", or \"messages\"");
  HONE_CHECK(DataError,
             row.contains("choices") && row["choices"].is_array() && row["choices"].size() >= 2,
             "multiple choice needs two texts or more under \"choices\"");
  const auto count = std::ssize(row["choices"]);
  HONE_CHECK(DataError,
             row.contains("answer") && row["answer"].is_number_integer() && row["answer"] >= 0 &&
                 row["answer"] < count,
             "multiple choice needs the right choice's place under \"answer\", from 0 to {}; got "
             "{}",
             count - 1, row.contains("answer") ? row["answer"].dump() : "none");
  const PromptText prompt =
      has_messages ? conversation_prompt(row, tools) : plain_prompt(row["prompt"]);
  AnswerRow result;
  result.choices.answer = row["answer"];
  for (const Row& choice : row["choices"]) {
    HONE_CHECK(DataError, choice.is_string() && !choice.get_ref<const std::string&>().empty(),
               "choices[{}] is {}, expected a text that is not empty", result.documents.size(),
               choice.dump());
    const auto& text = choice.get_ref<const std::string&>();
    result.documents.push_back(scored_answer(prompt, delimiter + text, tools));
    result.choices.characters.push_back(std::int64_t(io::count_code_points(text)));
    result.choices.bytes.push_back(std::ssize(text));
  }
  return result;
}

AnswerRow pair_of(const Record& record, const datasets::DataOptions& options,
                  const TextTools& tools) {
  HONE_CHECK(DataError, record.kind == RecordKind::kPreference,
             "a preference metric needs \"chosen\" and \"rejected\"; the row is a {} record",
             datasets::name_of(record.kind));
  // The prompt never counts here, whatever it weighs in training.
  datasets::DataOptions alone = options;
  alone.prompt_loss_weight = 0;
  alone.train_on = {"all"};
  const datasets::RowContext context(alone, tools);
  AnswerRow result;
  for (const char* which : {"chosen", "rejected"}) {
    result.documents.push_back(datasets::to_example(answer_record(record.value, which), context));
    HONE_CHECK(DataError, result.documents.back().trained_tokens() > 0, "\"{}\" has no tokens",
               which);
  }
  return result;
}

std::int64_t scored_bytes(const datasets::Example& example, const tokenizer::Tokenizer& tokenizer) {
  const auto size_of_first = [&](std::size_t count) {
    return std::ssize(tokenizer.decode(std::span(example.ids).first(count), /*skip_special=*/true));
  };
  std::int64_t bytes = 0;
  const std::size_t count = example.ids.size();
  for (std::size_t begin = 1; begin < count; ++begin) {
    if (example.weights[begin] == 0) continue;
    std::size_t end = begin;
    while (end < count && example.weights[end] > 0) ++end;
    // The whole beginning is decoded: a decoder may treat the first token of a text apart.
    bytes += size_of_first(end) - size_of_first(begin);
    begin = end;
  }
  return bytes;
}

std::optional<Row> RawRows::next(std::string& where) {
  io::RawRow raw;
  while (reader_ == nullptr || !reader_->next(raw)) {
    if (next_file_ == files_.size()) return std::nullopt;
    reader_ = io::open_rows(files_[next_file_++]);
  }
  where = reader_->where(raw.number);
  try {
    return datasets::rename_columns(reader_->parse(std::move(raw)), columns_);
  } catch (const DataError& error) {
    if (std::string_view(error.what()).starts_with(where)) throw;
    throw DataError(fmt::format("{}: {}", where, error.what()));
  }
}

}  // namespace hone::eval
