#include <algorithm>
#include <ctime>
#include <string>
#include <vector>

#include "base/error.h"
#include "datasets/conversation.h"
#include "datasets/record_example.h"
#include "datasets/weights.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace hone::datasets {
namespace {

using tokenizer::AssistantTurn;
using tokenizer::Rendered;
using tokenizer::RenderOptions;

/// What strftime_now tells a template: the date that Llama's own templates fall back to. Were it
/// today's, a run resumed tomorrow would not train on the same tokens.
std::tm pinned_date() {
  std::tm date{};
  date.tm_year = 2024 - 1900;
  date.tm_mon = 6;
  date.tm_mday = 26;
  date.tm_wday = 5;
  date.tm_yday = 207;
  return date;
}

RenderOptions render_options(const Row& row, const RowContext& context) {
  RenderOptions options;
  if (const auto tools = row.find("tools"); tools != row.end()) options.tools = *tools;
  options.variables = context.template_variables;
  options.now = pinned_date();
  return options;
}

/// The turns that data.train_on asks for.
std::vector<AssistantTurn> trained_turns(const Row& messages, const RenderOptions& options,
                                         const Rendered& rendered, const RowContext& context) {
  std::vector<AssistantTurn> turns = tokenizer::find_assistant_turns(
      *context.tools.chat_template, messages, options, rendered, context.special_tokens);
  if (context.options.train_on == "last" && !turns.empty())
    turns.erase(turns.begin(), turns.end() - 1);
  return turns;
}

/// The turns' stretches of text, ascending and apart; at least one.
std::vector<WeighedRange> ranges_of(const std::vector<AssistantTurn>& turns) {
  std::vector<WeighedRange> ranges;
  for (const AssistantTurn& turn : turns) {
    const std::size_t begin = std::max(turn.begin, ranges.empty() ? 0 : ranges.back().range.end);
    if (begin < turn.end) ranges.push_back({{begin, turn.end}});
  }
  HONE_CHECK(DataError, !ranges.empty(),
             "the chat template prints nothing of the assistant's messages that are trained on; "
             "give another one with data.template");
  return ranges;
}

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

Example read_message_row(const Row& row, const RowContext& context) {
  check_conversation(row);
  const Row& messages = row["messages"];
  const RenderOptions options = render_options(row, context);
  const Rendered rendered = context.tools.chat_template->render(messages, options);
  const std::vector<AssistantTurn> turns = trained_turns(messages, options, rendered, context);
  // The template has printed what stands before and after the text, so nothing is added to it.
  tokenizer::Encoding encoding = context.tools.tokenizer->encode(
      rendered.text, {.add_special_tokens = false, .literal = tokenizer::literal_ranges(rendered)});
  HONE_CHECK(DataError, !encoding.ids.empty(), "the chat template makes no text of the row");
  check_vocabulary(encoding.ids, context.tools);

  TokenWeights weighed = weigh_tokens(encoding.offsets, ranges_of(turns),
                                      static_cast<float>(context.options.prompt_loss_weight));
  Example example;
  example.ids = std::move(encoding.ids);
  example.weights = std::move(weighed.weights);
  example.responses = std::move(weighed.responses);
  example.straddling_tokens = weighed.straddling_tokens;
  example.prompt_differs =
      !std::all_of(turns.begin(), turns.end(), [](const auto& turn) { return turn.prefix_ok; });
  return example;
}

}  // namespace hone::datasets
