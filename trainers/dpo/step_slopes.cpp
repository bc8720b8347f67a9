#include "trainers/dpo/step_slopes.h"

#include <algorithm>

#include "trainers/dpo/pairs.h"

namespace hone::dpo {

bool compares_pairs(const std::vector<std::string>& loss_type) {
  return std::ranges::any_of(loss_type,
                             [](const std::string& type) { return type.starts_with("aot"); });
}

Tensor StepSlopes::part(std::size_t micro_batch, const Tensor& policy_D) const {
  const Tensor moved = policy_D - policy_D.detach();  // zeros that gradient flows through
  return (moved * slopes_D[micro_batch]).sum() + loss / static_cast<double>(slopes_D.size());
}

StepSlopes slopes_of(const std::vector<Tensor>& policy_D, const std::vector<loss::PairLogps>& parts,
                     const std::optional<Tensor>& weights, const loss::DpoSettings& settings) {
  const Tensor losses = loss::dpo_loss(joined(parts), settings).losses;
  const Tensor mean = (weights ? losses * *weights : losses).mean();
  mean.backward();
  StepSlopes slopes = {.loss = mean.item<double>()};
  for (const Tensor& leaf : policy_D) slopes.slopes_D.push_back(leaf.grad());
  return slopes;
}

}  // namespace hone::dpo
