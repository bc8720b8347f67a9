#include "trainers/orpo/answers.h"

namespace hone::orpo {

AnswerLogps answer_logps(const Tensor& logps_M, const engine::DeviceBatch& batch) {
  const auto by_pair = [&](const Tensor& values_M) {
    return engine::sums_by_document(values_M, batch).view({-1, 2});
  };
  const Tensor logps = by_pair(logps_M * batch.weights_M), tokens = by_pair(batch.weights_M);
  return {logps.select(1, 0), logps.select(1, 1), tokens.select(1, 0), tokens.select(1, 1)};
}

}  // namespace hone::orpo
