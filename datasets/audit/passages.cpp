#include "datasets/audit/passages.h"

#include <algorithm>

namespace hone::datasets::audit {
namespace {

/// Separates what is hashed together; no text holds it after normalisation.
constexpr std::string_view kBorder("\0", 1);

std::string text_at(const Row& row, std::string_view key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_string() ? found->get<std::string>() : "";
}

Side side_of(std::string_view role, Side answer) {
  if (role == "system" || role == "developer") return Side::kSystem;
  return role == "assistant" ? answer : Side::kPrompt;
}

void append_message(std::vector<Passage>& passages, const Row& message, Side answer) {
  const std::string role = text_at(message, "role");
  const Side side = side_of(role, answer);
  for (const char* key : {"reasoning_content", "thinking"}) {
    if (std::string text = text_at(message, key); !text.empty())
      passages.push_back({Side::kText, role + " " + key, std::move(text)});
  }
  Passage passage{side, role, text_at(message, "content")};
  if (const auto calls = message.find("tool_calls"); calls != message.end() && !calls->empty())
    passage.calls = calls->dump(-1, ' ', false, Row::error_handler_t::replace);
  passages.push_back(std::move(passage));
}

/// A text, or a list of messages in which the assistant's are on side `answer`.
void append(std::vector<Passage>& passages, const Row& value, const std::string& name, Side side) {
  if (value.is_string()) {
    passages.push_back({side, name, value.get<std::string>()});
  } else if (value.is_array()) {
    for (const Row& message : value)
      if (message.is_object()) append_message(passages, message, side);
  }
}

void append_key(std::vector<Passage>& passages, const Row& row, const char* key, Side side) {
  if (const auto found = row.find(key); found != row.end()) append(passages, *found, key, side);
}

void append_ids(std::vector<Passage>& passages, const Row& row, const char* key, Side side,
                const tokenizer::Tokenizer& tokenizer) {
  const auto found = row.find(key);
  if (found == row.end() || !found->is_array()) return;
  std::vector<std::int32_t> ids;
  for (const Row& id : *found)
    if (id.is_number_integer()) ids.push_back(id.get<std::int32_t>());
  passages.push_back({side, key, tokenizer.decode(ids, /*skip_special=*/true)});
}

/// What each kind of record holds under which key.
struct Part {
  RecordKind kind;
  const char* key;
  Side side;
};

constexpr Part kParts[] = {
    {RecordKind::kConversation, "messages", Side::kResponse},
    {RecordKind::kCompletion, "prompt", Side::kPrompt},
    {RecordKind::kCompletion, "completion", Side::kResponse},
    {RecordKind::kText, "text", Side::kText},
    {RecordKind::kPreference, "prompt", Side::kPrompt},
    {RecordKind::kPreference, "chosen", Side::kResponse},
    {RecordKind::kPreference, "rejected", Side::kRejected},
    {RecordKind::kUnpaired, "prompt", Side::kPrompt},
    {RecordKind::kUnpaired, "completion", Side::kResponse},
    {RecordKind::kScored, "messages", Side::kResponse},
    {RecordKind::kScored, "prompt", Side::kPrompt},
    {RecordKind::kScored, "completion", Side::kResponse},
    {RecordKind::kStepwise, "prompt", Side::kPrompt},
    {RecordKind::kStepwise, "completions", Side::kResponse},
};

constexpr Part kTokenParts[] = {
    {RecordKind::kTokens, "input_ids", Side::kText},
    {RecordKind::kPreference, "prompt_ids", Side::kPrompt},
    {RecordKind::kPreference, "chosen_ids", Side::kResponse},
    {RecordKind::kPreference, "rejected_ids", Side::kRejected},
    {RecordKind::kUnpaired, "prompt_ids", Side::kPrompt},
    {RecordKind::kUnpaired, "completion_ids", Side::kResponse},
};

std::uint64_t short_key(const std::string& text) { return content_key(text)[0]; }

/// The passage as it goes into a hash.
std::string identity(const Passage& passage) {
  std::string text = passage.role;
  text += kBorder;
  text += normalised(passage.text);
  text += kBorder;
  text += passage.calls;
  text += kBorder;
  return text;
}

}  // namespace

const Passage* RowText::last(Side side) const {
  const auto found = std::find_if(passages.rbegin(), passages.rend(),
                                  [&](const Passage& passage) { return passage.side == side; });
  return found == passages.rend() ? nullptr : &*found;
}

RowText row_text(const Record& record, const tokenizer::Tokenizer* tokenizer) {
  RowText row{.kind = record.kind, .passages = {}, .label = {}, .tools = {}};
  for (const Part& part : kParts) {
    if (part.kind != record.kind) continue;
    if (std::string_view(part.key) == "completions") {
      for (const Row& step : record.value.value(part.key, Row::array()))
        append(row.passages, step, "step", part.side);
    } else {
      append_key(row.passages, record.value, part.key, part.side);
    }
  }
  if (tokenizer != nullptr) {
    for (const Part& part : kTokenParts)
      if (part.kind == record.kind)
        append_ids(row.passages, record.value, part.key, part.side, *tokenizer);
  }
  if (const auto label = record.value.find("label");
      label != record.value.end() && label->is_boolean())
    row.label = label->get<bool>();
  if (const auto tools = record.value.find("tools");
      tools != record.value.end() && !tools->is_null())
    row.tools = tools->dump(-1, ' ', false, Row::error_handler_t::replace);
  return row;
}

RowKeys row_keys(const Record& record, const RowText& row) {
  RowKeys keys{};
  if (row.passages.empty()) {  // tokens: the numbers are the content
    keys.content = content_key(record.value.dump(-1, ' ', false, Row::error_handler_t::replace));
    return keys;
  }
  const Passage* response = row.last(Side::kResponse);
  const Passage* rejected = row.last(Side::kRejected);
  std::string before = row.tools, all;
  bool has_prompt = false, past = false;
  for (const Passage& passage : row.passages) {
    all += identity(passage);
    past |= &passage == response;
    if (past || passage.side == Side::kRejected) continue;
    before += identity(passage);
    has_prompt |= passage.side != Side::kSystem;
  }
  all += row.tools;
  for (const char* key : {"label", "score", "margin", "labels"})
    if (const auto found = record.value.find(key); found != record.value.end())
      all += found->dump();
  keys.content = content_key(all);
  if (has_prompt) keys.prompt = short_key(before);
  if (response != nullptr) keys.response = short_key(normalised(response->text) + response->calls);
  if (rejected != nullptr) keys.rejected = short_key(normalised(rejected->text) + rejected->calls);
  return keys;
}

}  // namespace hone::datasets::audit
