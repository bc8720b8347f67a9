#include "optim/portions.h"

#include <algorithm>

#include "base/error.h"
#include "kernels/optimizer_step/rules.h"

namespace hone::optim {
namespace {

using kernels::kStepBlock;

static_assert(kPortion % kStepBlock == 0);

Tensor part_of(const Tensor& tensor, std::int64_t first, std::int64_t size) {
  return tensor.view({-1}).narrow(0, first, size);
}

std::int64_t blocks_of(std::int64_t elements) { return (elements + kStepBlock - 1) / kStepBlock; }

Slot portion_of(const Slot& slot, std::int64_t first, std::int64_t size) {
  const std::int64_t elements = slot.parameter.numel();
  Slot portion{.parameter = part_of(slot.parameter, first, size),
               .gradient = part_of(slot.gradient, first, size),
               .states = {},
               .learning_rate = slot.learning_rate,
               .weight_decay = slot.weight_decay};
  for (const Tensor& state : slot.states) {
    const bool by_block = state.numel() != elements;
    HONE_ASSERT(!by_block || state.numel() == blocks_of(elements), "{} numbers for {} elements",
                state.numel(), elements);
    portion.states.push_back(by_block ? part_of(state, first / kStepBlock, blocks_of(size))
                                      : part_of(state, first, size));
  }
  return portion;
}

}  // namespace

void for_portions(const Slot& slot,
                  const std::function<void(const Slot& portion, std::int64_t first)>& use) {
  const std::int64_t elements = slot.parameter.numel();
  for (std::int64_t first = 0; first < elements; first += kPortion)
    use(portion_of(slot, first, std::min(kPortion, elements - first)), first);
}

}  // namespace hone::optim
