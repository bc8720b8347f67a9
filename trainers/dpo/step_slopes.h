#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loss/dpo.h"

namespace hone::dpo {

using torch::Tensor;

/// Whether a loss compares the pairs of a step with one another, so that it is no sum over pairs.
bool compares_pairs(const std::vector<std::string>& loss_type);

/// A loss of a whole step, cut into micro-batches where it is no sum over them: its value, and its
/// slopes dL / d log π. What the micro-batches then add has the value and the gradient of the
/// whole.
struct StepSlopes {
  double loss = 0;
  std::vector<Tensor> slopes_D = {};  ///< of each micro-batch, a number for each document

  /// @param policy_D the micro-batch's log-probabilities; gradient flows
  /// @return scalar: an equal part of the loss, with the gradient Σ slope · d log π
  Tensor part(std::size_t micro_batch, const Tensor& policy_D) const;
};

/// @param policy_D of each micro-batch: leaves that gradient is wanted of
/// @param parts the pairs of each micro-batch, made of these leaves
/// @param weights [P] of all pairs, or none
StepSlopes slopes_of(const std::vector<Tensor>& policy_D, const std::vector<loss::PairLogps>& parts,
                     const std::optional<Tensor>& weights, const loss::DpoSettings& settings);

}  // namespace hone::dpo
