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
  std::vector<WeighedRange> ranges;  ///< of its text, ascending and apart
  /// A server, given what stands before a trained message, would write the prompt otherwise.
  bool prompt_differs = false;
};

/// @param training what the messages say themselves, one for each
/// @param train_on as data.train_on
/// @throws DataError where nothing of it is to be trained on, or a weight has no effect
MessageWeights weigh_messages(const RenderedConversation& conversation,
                              std::span<const MessageTraining> training,
                              const std::vector<std::string>& train_on,
                              const tokenizer::ChatTemplate& chat_template,
                              const tokenizer::StopTokens& stops);

}  // namespace hone::datasets
