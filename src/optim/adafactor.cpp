#include <cmath>
#include <limits>

#include "optim/rules.h"

// Both forms keep the second moments of a tensor with two axes or more as one number a row and one
// a column (of its last two axes), and of a vector as they are. They differ in what keeps the
// moments above 0, in the rate, and in that only transformers' has a first moment.

namespace hone::optim {
namespace {

double rms(const Tensor& tensor) {
  return tensor.norm().item<double>() / std::sqrt(double(tensor.numel()));
}

Tensor zeros_without(const Tensor& parameter, std::int64_t axis, bool keepdim) {
  std::vector<std::int64_t> sizes = parameter.sizes().vec();
  if (keepdim) {
    *(sizes.end() + axis) = 1;
  } else {
    sizes.erase(sizes.end() + axis);
  }
  return torch::zeros(sizes, parameter.options().requires_grad(false));
}

NamedTensors adafactor_states(const Tensor& parameter, const OptimOptions& options) {
  NamedTensors states;
  if (parameter.dim() >= 2) {
    states = {{"exp_avg_sq_row", zeros_without(parameter, -1, false)},
              {"exp_avg_sq_col", zeros_without(parameter, -2, false)}};
  } else {
    states = {{"exp_avg_sq", torch::zeros_like(parameter)}};
  }
  if (options.adafactor_beta1) states.emplace_back("exp_avg", torch::zeros_like(parameter));
  return states;
}

/// The learning rate of one parameter: given, or from the step; relative to the size of its weights
/// where that is asked for.
double adafactor_rate(const Slot& slot, std::int64_t step, const OptimOptions& options) {
  double rate = slot.learning_rate;
  if (options.adafactor_relative_step) {
    const double ceiling = options.adafactor_warmup_init ? 1e-6 * double(step) : 1e-2;
    rate = std::min(ceiling, 1.0 / std::sqrt(double(step)));
  }
  if (options.adafactor_scale_parameter)
    rate *= std::max(options.adafactor_eps2, rms(slot.parameter));
  return rate;
}

Tensor adafactor_direction(const Slot& slot, double beta2, double eps1) {
  const Tensor squares = slot.gradient.square() + eps1;
  if (slot.parameter.dim() < 2) {
    slot.states[0].mul_(beta2).add_(squares, 1.0 - beta2);
    return slot.states[0].rsqrt() * slot.gradient;
  }
  const Tensor &row = slot.states[0], &column = slot.states[1];
  row.mul_(beta2).add_(squares.mean(-1), 1.0 - beta2);
  column.mul_(beta2).add_(squares.mean(-2), 1.0 - beta2);
  const Tensor row_factor = (row / row.mean(-1, true)).rsqrt().unsqueeze(-1);
  return row_factor * column.rsqrt().unsqueeze(-2) * slot.gradient;
}

void step_adafactor(std::span<const Slot> slots, std::int64_t step, const OptimOptions& options) {
  const double beta2 = 1.0 - std::pow(double(step), options.adafactor_decay_rate);
  for (const Slot& slot : slots) {
    const double rate = adafactor_rate(slot, step, options);
    Tensor update = adafactor_direction(slot, beta2, options.adafactor_eps1.value_or(1e-30));
    update.mul_(rate / std::max(1.0, rms(update) / options.adafactor_clip_threshold));
    if (options.adafactor_beta1) {
      const double beta1 = *options.adafactor_beta1;
      update = slot.states.back().mul_(beta1).add_(update, 1.0 - beta1);
    }
    Tensor parameter = slot.parameter;
    parameter.mul_(1.0 - slot.weight_decay * rate).sub_(update);
  }
}

NamedTensors adafactor_torch_states(const Tensor& parameter, const OptimOptions&) {
  if (parameter.dim() < 2) return {{"variance", torch::zeros_like(parameter)}};
  return {{"row_var", zeros_without(parameter, -1, true)},
          {"col_var", zeros_without(parameter, -2, true)}};
}

Tensor adafactor_torch_variance(const Slot& slot, double share, double eps1) {
  const Tensor squares = slot.gradient.square();
  if (slot.parameter.dim() < 2) return slot.states[0].lerp_(squares, share).clone();
  const Tensor &row = slot.states[0], &column = slot.states[1];
  row.lerp_(squares.mean(-1, true), share);
  column.lerp_(squares.mean(-2, true), share);
  return torch::matmul(row, column).div_(row.mean(-2, true).clamp_min_(eps1));
}

void step_adafactor_torch(std::span<const Slot> slots, std::int64_t step,
                          const OptimOptions& options) {
  constexpr double kSingleEpsilon = std::numeric_limits<float>::epsilon();
  const double eps1 = options.adafactor_eps1.value_or(kSingleEpsilon);
  const double share = std::pow(double(step), options.adafactor_decay_rate);
  for (const Slot& slot : slots) {
    const double relative = std::min(slot.learning_rate, 1.0 / std::sqrt(double(step)));
    const double rate = std::max(options.adafactor_eps2, rms(slot.parameter)) * relative;
    Tensor parameter = slot.parameter;
    parameter.mul_(1.0 - slot.learning_rate * slot.weight_decay);
    const Tensor update = adafactor_torch_variance(slot, share, eps1)
                              .clamp_min_(eps1 * eps1)
                              .rsqrt_()
                              .mul_(slot.gradient);
    const double clip = std::max(1.0, rms(update) / options.adafactor_clip_threshold);
    parameter.sub_(update, rate / clip);
  }
}

}  // namespace

const Rule& adafactor_rule() {
  static const Rule rule{adafactor_states, step_adafactor};
  return rule;
}

const Rule& adafactor_torch_rule() {
  static const Rule rule{adafactor_torch_states, step_adafactor_torch};
  return rule;
}

}  // namespace hone::optim
