#include "datasets/record_example.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "tokenizer/named_template.h"
#include "tokenizer/tokenizer.h"

namespace hone::datasets {
namespace {

/// How a kind of record becomes one document. Kinds that are not here are several of them.
struct Conversion {
  RecordKind kind;
  std::string_view what;  ///< for messages: "rows of messages"
  bool needs_tokenizer;
  bool needs_template;
  Example (*read)(const Row& row, const RowContext& context);
};

constexpr std::array kConversions = {
    Conversion{RecordKind::kConversation, "rows of messages", true, true, read_message_row},
    Conversion{RecordKind::kCompletion, "rows of prompts and completions", true, false,
               read_completion_row},
    Conversion{RecordKind::kText, "rows of text", true, false, read_text_row},
    Conversion{RecordKind::kTokens, "rows of tokens", false, false, read_token_row},
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

}  // namespace

Example to_example(const Record& record, const RowContext& context) {
  const auto found =
      std::find_if(kConversions.begin(), kConversions.end(),
                   [&](const Conversion& conversion) { return conversion.kind == record.kind; });
  HONE_CHECK(DataError, found != kConversions.end(),
             "the row is a {} record, which is not one text to train on; choose the train.method "
             "that it is for, or name with data.format what else the row is",
             name_of(record.kind));
  HONE_CHECK(ConfigError, !found->needs_tokenizer || context.tools.tokenizer != nullptr,
             "{} need a tokenizer, and the model has none", found->what);
  HONE_CHECK(ConfigError, !found->needs_template || context.tools.chat_template != nullptr,
             "{} need a chat template, and the tokenizer has none, as those of base models do; {}",
             found->what,
             context.tools.tokenizer ? tokenizer::offer_templates(*context.tools.tokenizer) : "");
  Example example = found->read(record.value, context);
  if (found->needs_tokenizer) check_vocabulary(example.ids, context.tools);
  return example;
}

}  // namespace hone::datasets
