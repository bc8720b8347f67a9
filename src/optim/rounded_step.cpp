#include "optim/rounded_step.h"

#include "optim/portions.h"

namespace hone::optim {

static_assert(kPortion % kernels::kRoundingPortion == 0);

void step_rounded(const Rule& rule, const Slot& slot, std::int64_t step,
                  const OptimOptions& options, const kernels::RoundingKey& key,
                  std::int64_t begin) {
  const auto update = [&](const Slot& part, std::int64_t first) {
    Slot wide = part;
    wide.parameter = part.parameter.to(torch::kFloat32);
    wide.gradient = part.gradient.to(torch::kFloat32);
    rule.step({&wide, 1}, step, options);
    kernels::round_stochastically(wide.parameter, part.parameter, key, begin + first);
  };
  if (rule.by_element)
    for_portions(slot, update);
  else
    update(slot, 0);
}

}  // namespace hone::optim
