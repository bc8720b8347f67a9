#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "datasets/message_weights.h"
#include "datasets/record_example.h"
#include "datasets/template_changes.h"
#include "tokenizer/tokenizer.h"

namespace hone::datasets {
namespace {

void check_any_trained(const MessageWeights& messages, const std::vector<std::string>& train_on) {
  const bool is_assistants = train_on.front() == "all" || train_on.front() == "last";
  HONE_CHECK(DataError, messages.messages > 0,
             "no message has the role {}, so there is nothing to train on; add the answer, or "
             "remove the row",
             is_assistants ? "\"assistant\"" : fmt::format("{}", fmt::join(train_on, " or ")));
  HONE_CHECK(DataError, !messages.ranges.empty(),
             "the chat template prints nothing of the messages that are trained on; give another "
             "one with data.template");
}

}  // namespace

Example read_message_row(const Row& row, const RowContext& context) {
  const Conversation conversation = read_conversation(row);
  const RenderedConversation whole =
      render_conversation(conversation, *context.tools.chat_template, context.template_variables);
  // The template has printed what stands before and after the text, so nothing is added to it.
  tokenizer::Encoding encoding = context.tools.tokenizer->encode(
      whole.rendered.text,
      {.add_special_tokens = false, .literal = tokenizer::literal_ranges(whole.rendered)});
  HONE_CHECK(DataError, !encoding.ids.empty(), "the chat template makes no text of the row");

  const MessageWeights messages =
      weigh_messages(whole, conversation.training, context.options.train_on,
                     *context.tools.chat_template, context.stops);
  check_any_trained(messages, context.options.train_on);
  TokenWeights weights = weigh_tokens(encoding.offsets, messages.ranges,
                                      static_cast<float>(context.options.prompt_loss_weight));
  Example example;
  example.ids = std::move(encoding.ids);
  example.weights = std::move(weights.weights);
  example.responses = std::move(weights.responses);
  example.straddling_tokens = weights.straddling_tokens;
  example.prompt_differs = messages.prompt_differs;
  example.changes = find_template_changes(whole.messages, whole.rendered);
  return example;
}

}  // namespace hone::datasets
