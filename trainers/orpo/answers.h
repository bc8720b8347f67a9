#pragma once

#include "engine/document_logps.h"

namespace hone::orpo {

using torch::Tensor;

/// What a model says of the answers of a batch of pairs: P pairs, whose documents are chosen and
/// rejected in turn.
struct AnswerLogps {
  Tensor chosen, rejected;                ///< [P] f32, weighted sums of log-probabilities
  Tensor chosen_tokens, rejected_tokens;  ///< [P] f32, the sums of the weights

  Tensor chosen_mean() const { return chosen / chosen_tokens; }
  Tensor rejected_mean() const { return rejected / rejected_tokens; }
};

/// @param logps_M of the batch's weighted tokens; gradient flows
AnswerLogps answer_logps(const Tensor& logps_M, const engine::DeviceBatch& batch);

}  // namespace hone::orpo
