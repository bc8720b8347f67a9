#include <torch/types.h>

#include "base/error.h"
#include "kernels/optimizer_step/optimizer_step.h"
#include "optim/optimizer.h"

namespace hone::optim {
namespace {

/// @param whole what the rule remembers of the whole parameter, for its shape
/// @param kept what it remembers of the part
Part part_of_state(const Parameter& parameter, std::int64_t elements, const Tensor& whole,
                   const Tensor& kept) {
  const std::int64_t begin = parameter.part->begin;
  const std::int64_t blocks = (elements + kernels::kStepBlock - 1) / kernels::kStepBlock;
  if (whole.numel() == elements) return {whole.sizes().vec(), begin};
  if (whole.numel() == blocks) {
    HONE_ASSERT(begin % kernels::kStepBlock == 0, "{}: its part begins at {}, within a block",
                parameter.name, begin);
    return {whole.sizes().vec(), begin / kernels::kStepBlock};
  }
  HONE_ASSERT(kept.numel() == whole.numel(), "{}: {} numbers of {}", parameter.name, kept.numel(),
              whole.numel());
  return {whole.sizes().vec(), 0};
}

}  // namespace

std::vector<StatePlace> Optimizer::state_places() const {
  std::vector<StatePlace> places;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    const auto& [rule, states, rates, average] = kept_[i];
    if (parameter.part && parameter.tensor.numel() > 0) {
      // Of the whole nothing is there but its shape, and no more is asked for.
      const Tensor whole = torch::empty(parameter.part->shape,
                                        torch::TensorOptions(torch::kMeta).dtype(torch::kFloat32));
      const NamedTensors of_whole = rule->states(whole, options_);
      HONE_ASSERT(of_whole.size() == states.size(), "{}", parameter.name);
      for (std::size_t s = 0; s < states.size(); ++s)
        places.push_back(
            {i, part_of_state(parameter, whole.numel(), of_whole[s].second, states[s].second)});
    } else {
      places.insert(places.end(), states.size(), {i, parameter.part});
    }
    if (average.defined()) places.push_back({i, parameter.part});
  }
  return places;
}

}  // namespace hone::optim
