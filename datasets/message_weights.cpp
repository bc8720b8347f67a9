#include "datasets/message_weights.h"

#include <algorithm>

#include "base/error.h"

namespace hone::datasets {
namespace {

using Row = nlohmann::ordered_json;
using tokenizer::Turn;

/// How one message counts in the loss.
struct MessageWeight {
  std::size_t message;
  float weight;
  bool is_response;
};

/// Whether data.train_on asks for each message.
std::vector<bool> chosen_by_role(const Row& messages, const std::vector<std::string>& train_on) {
  const bool is_last = train_on == std::vector<std::string>{"last"};
  const bool is_all = train_on == std::vector<std::string>{"all"};
  std::vector<bool> chosen(messages.size());
  for (std::size_t i = messages.size(); i-- > 0;) {
    const auto& role = messages[i]["role"].get_ref<const std::string&>();
    chosen[i] = is_last || is_all
                    ? role == "assistant"
                    : std::find(train_on.begin(), train_on.end(), role) != train_on.end();
    if (is_last && chosen[i]) break;
  }
  return chosen;
}

/// The messages that do not simply count as prompt: those to be trained on, and those that say
/// themselves that they are not to be.
std::vector<MessageWeight> choose_messages(const Row& messages,
                                           std::span<const MessageTraining> training,
                                           const std::vector<std::string>& train_on) {
  const std::vector<bool> chosen = chosen_by_role(messages, train_on);
  std::vector<MessageWeight> weighed;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const MessageTraining& said = training[i];
    const bool is_trained = said.train.value_or(chosen[i]);
    const float weight = is_trained ? said.weight.value_or(1) : 0;
    const bool is_off = said.train == false || (is_trained && said.weight == 0.0f);
    HONE_CHECK(
        DataError,
        is_trained || is_off || said.weight.value_or(0) == 0 || messages[i]["role"] == "assistant",
        "messages[{}] has the weight {}, and messages of the role {} are not trained on; "
        "give it \"train\": true as well, or name the role in data.train_on",
        i, *said.weight, messages[i]["role"].get<std::string>());
    if (is_trained || is_off) weighed.push_back({i, weight, weight > 0});
  }
  return weighed;
}

/// The turns' stretches of text, ascending and apart.
std::vector<WeighedRange> ranges_of(const std::vector<Turn>& turns,
                                    const std::vector<MessageWeight>& weighed) {
  std::vector<WeighedRange> ranges;
  auto message = weighed.begin();  // both are in the order of the messages
  for (const Turn& turn : turns) {
    while (message->message != turn.message) ++message;
    ranges.push_back({{turn.begin, turn.end}, message->weight, message->is_response});
  }
  const auto begins_before = [](const WeighedRange& a, const WeighedRange& b) {
    return a.range.begin < b.range.begin;
  };
  std::stable_sort(ranges.begin(), ranges.end(), begins_before);
  std::vector<WeighedRange> apart;
  for (WeighedRange& range : ranges) {
    if (!apart.empty()) range.range.begin = std::max(range.range.begin, apart.back().range.end);
    if (range.range.begin < range.range.end) apart.push_back(range);
  }
  return apart;
}

}  // namespace

MessageWeights weigh_messages(const RenderedConversation& conversation,
                              std::span<const MessageTraining> training,
                              const std::vector<std::string>& train_on,
                              const tokenizer::ChatTemplate& chat_template,
                              const tokenizer::StopTokens& stops) {
  const std::vector<MessageWeight> chosen =
      choose_messages(conversation.messages, training, train_on);
  std::vector<std::size_t> wanted;
  for (const MessageWeight& message : chosen) wanted.push_back(message.message);
  const std::vector<Turn> turns =
      tokenizer::find_turns(chat_template, conversation.messages, conversation.options,
                            conversation.rendered, stops, wanted);
  MessageWeights weights{wanted.size(), ranges_of(turns, chosen), false};
  weights.prompt_differs =
      !std::all_of(turns.begin(), turns.end(), [](const Turn& turn) { return turn.prefix_ok; });
  return weights;
}

}  // namespace hone::datasets
