#include <algorithm>
#include <string>
#include <utility>

#include "datasets/flawed_row.h"
#include "datasets/format_fields.h"
#include "datasets/formats.h"
#include "io/utf8.h"

namespace hone::datasets {
namespace {

Row tail(const Row& list, std::size_t from) {
  Row rest = Row::array();
  for (std::size_t i = from; i < list.size(); ++i) rest.push_back(list[i]);
  return rest;
}

Row front(const Row& list, std::size_t size) {
  Row first = Row::array();
  for (std::size_t i = 0; i < size; ++i) first.push_back(list[i]);
  return first;
}

struct Pair {
  Row prompt, chosen, rejected;
};

/// The messages that both begin with, but for one that each keeps as its answer.
Pair split_conversations(const Row& chosen, const Row& rejected) {
  std::size_t common = 0;
  const std::size_t most = std::min(chosen.size(), rejected.size()) - 1;
  while (common < most && chosen[common] == rejected[common]) ++common;
  HONE_CHECK(PromptsDiffer, common > 0,
             "the conversations \"chosen\" and \"rejected\" have no message in common at their "
             "beginning, so there is no prompt; give it under \"prompt\"");
  return {front(chosen, common), tail(chosen, common), tail(rejected, common)};
}

/// The characters that both begin with; a space before the answers belongs to these.
Pair split_texts(const std::string& chosen, const std::string& rejected) {
  auto [at, ignored] = std::ranges::mismatch(chosen, rejected);
  auto common = static_cast<std::size_t>(at - chosen.begin());
  while (common > 0 && common < chosen.size() && io::is_utf8_continuation(chosen[common])) --common;
  if (common > 0 && chosen[common - 1] == ' ') --common;
  HONE_CHECK(PromptsDiffer, common > 0,
             "the texts \"chosen\" and \"rejected\" do not begin alike, so there is no prompt; "
             "give it under \"prompt\"");
  HONE_CHECK(
      EmptyAnswer, common < chosen.size() && common < rejected.size(),
      "one of the texts \"chosen\" and \"rejected\" is the beginning of the other, so it has "
      "no answer of its own; give the prompt under \"prompt\"");
  return {chosen.substr(0, common), chosen.substr(common), rejected.substr(common)};
}

/// A prompt that is a text beside answers that are conversations: the first message of each of
/// them, as UltraFeedback has it.
Pair split_repeated_prompt(const Row& prompt, const Row& chosen, const Row& rejected) {
  const auto repeats = [&](const Row& answer) {
    const Row* content = find_value(answer[0], "content");
    return answer.size() > 1 && content != nullptr && *content == prompt;
  };
  HONE_CHECK(DataError, repeats(chosen) || repeats(rejected),
             "\"prompt\" is a text and \"chosen\" a list of messages; write both the same way");
  HONE_CHECK(PromptsDiffer, chosen[0] == rejected[0],
             "\"chosen\" and \"rejected\" begin with different messages, so the pair compares two "
             "prompts");
  return split_conversations(chosen, rejected);
}

Pair pair_of(const Row& row) {
  Turns chosen = turns_at(row, "chosen"), rejected = turns_at(row, "rejected");
  HONE_CHECK(DataError, chosen.is_text == rejected.is_text,
             "one of \"chosen\" and \"rejected\" is a text and the other one a list of messages; "
             "write both the same way");
  HONE_CHECK(EmptyAnswer, !chosen.value.empty() && !rejected.value.empty(),
             "\"chosen\" or \"rejected\" has no messages");
  if (find_value(row, "prompt") == nullptr) {
    HONE_CHECK(EqualAnswers, chosen.value != rejected.value,
               "\"chosen\" and \"rejected\" are the same, so the pair compares nothing");
    return chosen.is_text ? split_texts(chosen.value, rejected.value)
                          : split_conversations(chosen.value, rejected.value);
  }
  Turns prompt = turns_at(row, "prompt");
  if (prompt.is_text && !chosen.is_text)
    return split_repeated_prompt(prompt.value, chosen.value, rejected.value);
  HONE_CHECK(DataError, prompt.is_text == chosen.is_text,
             "\"prompt\" is a list of messages and \"chosen\" a text; write both the same way");
  return {std::move(prompt.value), std::move(chosen.value), std::move(rejected.value)};
}

/// Prompt and completion of a row, both texts or both conversations.
Row prompted_completion(const Row& row) {
  Turns completion = turns_at(row, "completion");
  Row value = Row::object();
  if (find_value(row, "prompt") != nullptr) {
    Turns prompt = turns_at(row, "prompt");
    HONE_CHECK(DataError, prompt.is_text == completion.is_text,
               "one of \"prompt\" and \"completion\" is a text and the other one a list of "
               "messages; write both the same way");
    value["prompt"] = std::move(prompt.value);
  }
  value["completion"] = std::move(completion.value);
  return value;
}

const Row& require_kind(const Record& record, RecordKind kind, std::string_view format) {
  if (record.kind != kind || record.value.contains("prompt_ids")) refuse_kind(record, format);
  return record.value;
}

}  // namespace

Record preference_to_record(Row row) {
  Pair pair = pair_of(row);
  Row value = {{"prompt", std::move(pair.prompt)},
               {"chosen", std::move(pair.chosen)},
               {"rejected", std::move(pair.rejected)}};
  if (find_value(row, "margin") != nullptr) value["margin"] = number_at(row, "margin");
  move_tools(row, value);
  move_others(row, {"prompt", "chosen", "rejected", "margin", "tools"}, value);
  return {RecordKind::kPreference, std::move(value)};
}

Row preference_from_record(const Record& record, std::string&) {
  return require_kind(record, RecordKind::kPreference, "preference");
}

Record unpaired_to_record(Row row) {
  HONE_CHECK(DataError, find_value(row, "prompt") != nullptr, "the row has no \"prompt\"");
  Row value = prompted_completion(row);
  value["label"] = flag_at(row, "label");
  move_tools(row, value);
  move_others(row, {"prompt", "completion", "label", "tools"}, value);
  return {RecordKind::kUnpaired, std::move(value)};
}

Row unpaired_from_record(const Record& record, std::string&) {
  return require_kind(record, RecordKind::kUnpaired, "unpaired");
}

Record scored_to_record(Row row) {
  Row value = Row::object();
  if (find_value(row, "messages") != nullptr) {
    value["messages"] = list_at(row, "messages");
  } else {
    value = prompted_completion(row);
  }
  value["score"] = scores_at(row);
  move_tools(row, value);
  move_others(row, {"messages", "prompt", "completion", "score", "tools"}, value);
  return {RecordKind::kScored, std::move(value)};
}

Row scored_from_record(const Record& record, std::string&) {
  return require_kind(record, RecordKind::kScored, "scored");
}

Record stepwise_to_record(Row row) {
  Row value = {{"prompt", text_at(row, "prompt")},
               {"completions", list_at(row, "completions")},
               {"labels", Row::array()}};
  const Row labels = list_at(row, "labels");
  const Row& steps = value["completions"];
  HONE_CHECK(DataError, steps.size() == labels.size(),
             "\"completions\" has {} steps and \"labels\" {}; expected one for each step",
             steps.size(), labels.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    HONE_CHECK(DataError, steps[i].is_string(), "completions[{}] is {}, expected a text", i,
               steps[i].type_name());
    HONE_CHECK(DataError, labels[i].is_boolean() || labels[i] == 0 || labels[i] == 1,
               "labels[{}] is {}, expected true or false", i, labels[i].dump());
    value["labels"].push_back(labels[i].is_boolean() ? labels[i] : Row(labels[i] == 1));
  }
  move_others(row, {"prompt", "completions", "labels"}, value);
  return {RecordKind::kStepwise, std::move(value)};
}

Row stepwise_from_record(const Record& record, std::string&) {
  return require_kind(record, RecordKind::kStepwise, "stepwise");
}

}  // namespace hone::datasets
