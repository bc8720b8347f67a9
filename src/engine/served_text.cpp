#include "engine/served_text.h"

#include <algorithm>

#include "base/error.h"
#include "datasets/rendering.h"
#include "io/row_reader.h"

namespace hone::engine {
namespace {

using nlohmann::ordered_json;

constexpr const char* kSample =
    "In 1984, naïve cafés sold 37.5 % more: <b>tea</b>\n\tand  \"coffee\" – 東京 🙂";

ordered_json conversation(std::initializer_list<ordered_json> messages) {
  ordered_json row = ordered_json::object();
  row["messages"] = ordered_json::array_t(messages);
  return row;
}

std::vector<ordered_json> own_conversations() {
  const ordered_json asked = {{"role", "user"}, {"content", kSample}};
  const ordered_json answered = {{"role", "assistant"},
                                 {"content", "Did they? " + std::string(kSample)}};
  std::vector<ordered_json> rows;
  rows.push_back(conversation({asked, answered}));
  rows.push_back(conversation({asked, answered, asked, answered}));
  return rows;
}

std::string rendered(const ordered_json& row, const Text& text) {
  return datasets::render_conversation(datasets::read_conversation(row), *text.chat_template,
                                       text.tokenizer->special().names)
      .rendered.text;
}

/// What differs of one conversation; empty: nothing.
std::string difference(const ordered_json& row, const Text& trained, const Text& served) {
  if (rendered(row, trained) != rendered(row, served))
    return "the server renders conversations into another text than was trained on";
  if (encode_conversation(row, trained, true) != encode_conversation(row, served, true))
    return "the server cuts the same text into other tokens than were trained on";
  return "";
}

std::vector<std::int32_t> sorted_stops(const Text& text) {
  std::vector<std::int32_t> ids = text.stop_ids();
  std::ranges::sort(ids);
  return ids;
}

void compare_templates(const Text& trained, const Text& served,
                       const std::vector<ordered_json>& conversations, TextComparison& found) {
  for (const ordered_json& row : conversations) {
    std::string differs;
    try {
      differs = difference(row, trained, served);
    } catch (const DataError&) {
      continue;  // A template may refuse a conversation; it is then no example.
    }
    ++found.conversations;
    if (differs.empty()) continue;
    found.differences.push_back(differs);
    return;
  }
}

}  // namespace

TextComparison compare_texts(const Text& trained, const Text& served,
                             std::vector<ordered_json> conversations) {
  TextComparison found;
  if (!trained.tokenizer) return found;
  if (!served.tokenizer) {
    found.differences.push_back("the export brings no tokenizer");
    return found;
  }
  if (trained.tokenizer->vocab_size() != served.tokenizer->vocab_size())
    found.differences.push_back(fmt::format("the vocabulary has {} tokens, {} in training",
                                            served.tokenizer->vocab_size(),
                                            trained.tokenizer->vocab_size()));
  if (trained.tokenizer->encode(kSample).ids != served.tokenizer->encode(kSample).ids)
    found.differences.push_back("a text becomes other tokens than in training");
  if (sorted_stops(trained) != sorted_stops(served))
    found.differences.push_back(fmt::format("replies end at the tokens {}, in training at {}",
                                            nlohmann::json(sorted_stops(served)).dump(),
                                            nlohmann::json(sorted_stops(trained)).dump()));
  if (!trained.chat_template) return found;
  if (!served.chat_template) {
    found.differences.push_back("the export brings no chat template");
    return found;
  }
  if (conversations.empty()) conversations = own_conversations();
  compare_templates(trained, served, conversations, found);
  return found;
}

std::vector<ordered_json> conversations_in(const std::string& file, std::size_t most) {
  std::vector<ordered_json> found;
  try {
    const auto reader = io::open_rows(file);
    io::RawRow raw;
    while (found.size() < most && reader->next(raw)) {
      ordered_json row = reader->parse(std::move(raw));
      if (row.contains("messages")) found.push_back(std::move(row));
      raw = {};
    }
  } catch (const DataError&) {
    // Rows that hone trains on need not be a file of objects (a pattern, a folder, a cache).
  }
  return found;
}

}  // namespace hone::engine
