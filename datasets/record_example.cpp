#include "datasets/record_example.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "tokenizer/named_template.h"
#include "tokenizer/tokenizer.h"

namespace hone::datasets {
namespace {

/// How a kind of record becomes a row of tokens.
struct Conversion {
  RecordKind kind;
  Example (*read)(const Row& row, const RowContext& context);
};

constexpr std::array kConversions = {
    Conversion{RecordKind::kConversation, read_message_row},
    Conversion{RecordKind::kCompletion, read_completion_row},
    Conversion{RecordKind::kText, read_text_row},
    Conversion{RecordKind::kTokens, read_token_row},
    Conversion{RecordKind::kPreference, read_preference_row},
    Conversion{RecordKind::kUnpaired, read_unpaired_row},
    Conversion{RecordKind::kScored, read_scored_row},
    Conversion{RecordKind::kStepwise, read_stepwise_row},
};

/// Tokens that the model does not know would be read from beyond its embeddings.
void check_vocabulary(const std::vector<std::int32_t>& ids, const TextTools& tools) {
  if (tools.vocab_size <= 0) return;
  for (const std::int32_t id : ids) {
    HONE_CHECK(DataError, id < tools.vocab_size,
               "the text has the token {} ({}), and the model knows ids from 0 to {}; use the "
               "tokenizer of this model",
               id, tools.tokenizer->id_to_token(id).value_or("unnamed"), tools.vocab_size - 1);
  }
}

void check_kind(RecordKind kind, const std::vector<RecordKind>& kinds) {
  std::vector<std::string_view> names;
  for (const RecordKind taken : kinds) names.push_back(name_of(taken));
  HONE_CHECK(DataError, std::ranges::find(kinds, kind) != kinds.end(),
             "the row is a {} record, and this train.method trains on {} records; choose the "
             "train.method that it is for, or name with data.format what else the row is",
             name_of(kind), fmt::join(names, " or "));
}

}  // namespace

bool is_tokens(const Record& record) {
  return record.kind == RecordKind::kTokens || record.value.contains("prompt_ids");
}

bool is_messages(const Record& record) {
  if (is_tokens(record)) return false;
  const auto is_list = [&](const char* key) {
    return record.value.contains(key) && record.value[key].is_array();
  };
  return is_list("messages") || is_list("chosen") || is_list("completion");
}

Example to_example(const Record& record, const RowContext& context) {
  check_kind(record.kind, context.tools.kinds);
  const auto found = std::ranges::find(kConversions, record.kind, &Conversion::kind);
  HONE_ASSERT(found != kConversions.end(), "no reader for {} records", name_of(record.kind));
  const std::string_view what = is_messages(record) ? "messages" : "text";
  HONE_CHECK(ConfigError, is_tokens(record) || context.tools.tokenizer != nullptr,
             "rows of {} need a tokenizer, and the model has none", what);
  HONE_CHECK(ConfigError, !is_messages(record) || context.tools.chat_template != nullptr,
             "rows of {} need a chat template, and the tokenizer has none, as those of base models "
             "do; {}",
             what,
             context.tools.tokenizer ? tokenizer::offer_templates(*context.tools.tokenizer) : "");
  Example example = found->read(record.value, context);
  if (!is_tokens(record)) check_vocabulary(example.ids, context.tools);
  return example;
}

}  // namespace hone::datasets
