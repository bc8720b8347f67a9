#pragma once

#include <span>
#include <string>
#include <vector>

#include "datasets/conversation.h"
#include "datasets/rendering.h"
#include "datasets/weights.h"
#include "tokenizer/turns.h"

namespace hone::datasets {

/// What of a rendered conversation is trained on.
struct MessageWeights {
  std::size_t messages;              ///< that are to be trained on, or are said not to be
  std::vector<WeighedRange> ranges;  ///< of these in the text, ascending and apart
  /// A server, given what stands before a trained message, would write the prompt otherwise.
  bool prompt_differs = false;
};

/// @param training what the messages say themselves, one for each
/// @param train_on as data.train_on
/// @throws DataError where the weight of a message would have no effect
MessageWeights weigh_messages(const RenderedConversation& conversation,
                              std::span<const MessageTraining> training,
                              const std::vector<std::string>& train_on,
                              const tokenizer::ChatTemplate& chat_template,
                              const tokenizer::StopTokens& stops);

}  // namespace hone::datasets
