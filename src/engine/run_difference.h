#pragma once

#include <cstdint>
#include <filesystem>

namespace hone::engine {

/// How far two runs of the same steps are from each other. Zero is the same to the bit.
struct RunDifference {
  double loss = 0;       ///< the largest of any step, relative
  double grad_norm = 0;  ///< the same of each figure of metrics.jsonl that begins so
  /// Of what the optimizer remembers of the gradients of the first step that both took, the
  /// largest over its kinds: the norm of the difference over the norm. Adam's first moment is then
  /// the gradient itself but for a factor; plain SGD remembers nothing.
  double gradients = 0;
  double weights = 0;  ///< of what was trained: the norm of the difference over the norm
};

/// Compares two runs' folders by metrics.jsonl and their checkpoints.
/// @param first_step the first that is looked at: a resumed run has not all of them
/// @param last_step of which the weights are
/// @throws DataError where one of them lacks a step or a tensor, or has one more
RunDifference difference(const std::filesystem::path& a, const std::filesystem::path& b,
                         std::int64_t first_step, std::int64_t last_step);

}  // namespace hone::engine
