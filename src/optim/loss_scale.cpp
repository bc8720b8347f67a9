#include "optim/loss_scale.h"

#include <limits>

#include "base/error.h"

namespace hone::optim {

void LossScale::note_finite() {
  if (++finite_in_a_row < kGrowthInterval) return;
  finite_in_a_row = 0;
  if (factor * kGrowth <= double(std::numeric_limits<float>::max())) factor *= kGrowth;
}

void LossScale::note_overflow(std::int64_t step) {
  HONE_CHECK(Error, factor > kFloor,
             "step {}: the gradients overflow fp16 although the loss is not scaled up any more "
             "(its scale has come down from {} to {} in {} such steps); the weights are as they "
             "were before this step. fp16 ends at 65504: take train.precision: bf16, which reaches "
             "as far as fp32, or fp32; a lower optim.learning_rate helps where the loss was rising",
             step, kStart, factor, overflows.size());
  factor *= kBackoff;
  finite_in_a_row = 0;
  overflows.push_back(step);
}

void unscale(const std::vector<Parameter>& parameters, double factor) {
  const torch::NoGradGuard no_grad;
  for (const Parameter& parameter : parameters)
    if (parameter.tensor.grad().defined()) parameter.tensor.grad().mul_(1.0 / factor);
}

}  // namespace hone::optim
