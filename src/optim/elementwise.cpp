#include <cmath>

#include "kernels/optimizer_step/optimizer_step.h"
#include "optim/kernel_slots.h"
#include "optim/rules.h"

namespace hone::optim {
namespace {

using kernels::optimizer_step;

Tensor zeros_of(const Tensor& parameter) { return torch::zeros_like(parameter); }

template <Decay decay>
void step_adam(std::span<const Slot> slots, std::int64_t step, const OptimOptions& options) {
  const auto tensors = kernel_slots(slots, decay);
  const kernels::AdamRule rule = adam_arithmetic(step, options);
  if (options.amsgrad) {
    optimizer_step(tensors, kernels::AmsgradRule{rule});
  } else {
    optimizer_step(tensors, rule);
  }
}

NamedTensors adam_states(const Tensor& parameter, const OptimOptions& options) {
  NamedTensors states = {{"exp_avg", zeros_of(parameter)}, {"exp_avg_sq", zeros_of(parameter)}};
  if (options.amsgrad) states.emplace_back("max_exp_avg_sq", zeros_of(parameter));
  return states;
}

NamedTensors adagrad_states(const Tensor& parameter, const OptimOptions&) {
  return {{"sum", zeros_of(parameter)}};
}

void step_adagrad(std::span<const Slot> slots, std::int64_t step, const OptimOptions& options) {
  const double rate_decay = 1.0 / (1.0 + double(step - 1) * options.adagrad_lr_decay);
  optimizer_step(kernel_slots(slots, Decay::kL2),
                 kernels::AdagradRule{.epsilon = float(options.adagrad_epsilon),
                                      .rate_decay = float(rate_decay)});
}

NamedTensors rmsprop_states(const Tensor& parameter, const OptimOptions& options) {
  NamedTensors states = {{"square_avg", zeros_of(parameter)}};
  if (options.rmsprop_centered) states.emplace_back("grad_avg", zeros_of(parameter));
  if (options.momentum > 0) states.emplace_back("momentum_buffer", zeros_of(parameter));
  return states;
}

template <class KernelRule>
void step_rmsprop_as(std::span<const Slot> slots, const OptimOptions& options) {
  optimizer_step(kernel_slots(slots, Decay::kL2),
                 KernelRule{.alpha = float(options.rmsprop_alpha),
                            .epsilon = float(options.rmsprop_epsilon),
                            .momentum = float(options.momentum),
                            .share = float(1.0 - options.rmsprop_alpha)});
}

void step_rmsprop(std::span<const Slot> slots, std::int64_t, const OptimOptions& options) {
  if (options.rmsprop_centered && options.momentum > 0)
    return step_rmsprop_as<kernels::CentredMomentumRmspropRule>(slots, options);
  if (options.rmsprop_centered) return step_rmsprop_as<kernels::CentredRmspropRule>(slots, options);
  if (options.momentum > 0) return step_rmsprop_as<kernels::MomentumRmspropRule>(slots, options);
  return step_rmsprop_as<kernels::PlainRmspropRule>(slots, options);
}

NamedTensors sgd_states(const Tensor& parameter, const OptimOptions& options) {
  if (options.momentum == 0) return {};
  return {{"momentum_buffer", zeros_of(parameter)}};
}

void step_sgd(std::span<const Slot> slots, std::int64_t step, const OptimOptions& options) {
  const auto tensors = kernel_slots(slots, Decay::kL2);
  if (options.momentum == 0) return optimizer_step(tensors, kernels::PlainSgdRule{});
  optimizer_step(
      tensors, kernels::SgdRule{.momentum = float(options.momentum),
                                .gradient_share = step == 1 ? 1.0f : float(1.0 - options.dampening),
                                .gradient_now = options.nesterov ? 1.0f : 0.0f,
                                .buffer_now = options.nesterov ? float(options.momentum) : 1.0f});
}

NamedTensors lion_states(const Tensor& parameter, const OptimOptions&) {
  return {{"exp_avg", zeros_of(parameter)}};
}

void step_lion(std::span<const Slot> slots, std::int64_t, const OptimOptions& options) {
  optimizer_step(kernel_slots(slots, Decay::kDecoupled), lion_arithmetic(options));
}

}  // namespace

kernels::AdamRule adam_arithmetic(std::int64_t step, const OptimOptions& options) {
  const double mean_left = std::pow(options.adam_beta1, double(step));
  const double square_left = std::pow(options.adam_beta2, double(step));
  return {.beta1 = float(options.adam_beta1),
          .beta2 = float(options.adam_beta2),
          .epsilon = float(options.adam_epsilon),
          .mean_share = float(1.0 - options.adam_beta1),
          .square_share = float(1.0 - options.adam_beta2),
          .mean_correction = float(1.0 / (1.0 - mean_left)),
          .square_correction = float(1.0 / std::sqrt(1.0 - square_left))};
}

kernels::LionRule lion_arithmetic(const OptimOptions& options) {
  return {.beta1 = float(options.adam_beta1),
          .beta2 = float(options.adam_beta2),
          .share1 = float(1.0 - options.adam_beta1),
          .share2 = float(1.0 - options.adam_beta2)};
}

std::vector<kernels::SteppedTensor> kernel_slots(std::span<const Slot> slots, Decay decay) {
  std::vector<kernels::SteppedTensor> tensors;
  for (const Slot& slot : slots) {
    kernels::StepRates rates{.rate = float(slot.learning_rate)};
    if (decay == Decay::kL2) rates.l2 = float(slot.weight_decay);
    if (decay == Decay::kDecoupled)
      rates.shrink = float(1.0 - slot.learning_rate * slot.weight_decay);
    tensors.push_back({slot.parameter, slot.gradient, slot.states, rates});
  }
  return tensors;
}

const Rule& adamw_rule() {
  static const Rule rule{adam_states, step_adam<Decay::kDecoupled>, /*by_element=*/true};
  return rule;
}

const Rule& adam_rule() {
  static const Rule rule{adam_states, step_adam<Decay::kL2>, /*by_element=*/true};
  return rule;
}

const Rule& adagrad_rule() {
  static const Rule rule{adagrad_states, step_adagrad, /*by_element=*/true};
  return rule;
}

const Rule& rmsprop_rule() {
  static const Rule rule{rmsprop_states, step_rmsprop, /*by_element=*/true};
  return rule;
}

const Rule& sgd_rule() {
  static const Rule rule{sgd_states, step_sgd, /*by_element=*/true};
  return rule;
}

const Rule& lion_rule() {
  static const Rule rule{lion_states, step_lion, /*by_element=*/true};
  return rule;
}

}  // namespace hone::optim
