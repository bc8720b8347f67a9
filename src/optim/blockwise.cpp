#include "kernels/optimizer_step/dynamic_map.h"
#include "optim/kernel_slots.h"
#include "optim/rules.h"

namespace hone::optim {
namespace {

/// Codes and scales of a state that is zero. Names as bitsandbytes' state dictionaries have them.
void add_packed(NamedTensors& states, const std::string& number, const Tensor& parameter,
                bool is_signed) {
  const std::int64_t blocks = (parameter.numel() + kernels::kStepBlock - 1) / kernels::kStepBlock;
  const std::int64_t zero = is_signed ? 127 : 0;  // where the map has its zero
  states.emplace_back("state" + number,
                      torch::full_like(parameter, zero, parameter.options().dtype(torch::kUInt8)));
  states.emplace_back("absmax" + number, torch::zeros({blocks}, parameter.options()));
}

Tensor map_like(const Tensor& parameter, bool is_signed) {
  return kernels::dynamic_map(is_signed).to(parameter.device());
}

NamedTensors adamw_states(const Tensor& parameter, const OptimOptions&) {
  NamedTensors states;
  add_packed(states, "1", parameter.detach(), true);
  add_packed(states, "2", parameter.detach(), false);
  return states;
}

void step_adamw(std::span<const Slot> slots, std::int64_t step, const OptimOptions& options) {
  const Tensor& like = slots.front().parameter;
  kernels::blockwise_optimizer_step(kernel_slots(slots, Decay::kDecoupled),
                                    adam_arithmetic(step, options),
                                    {map_like(like, true), map_like(like, false)});
}

NamedTensors lion_states(const Tensor& parameter, const OptimOptions&) {
  NamedTensors states;
  add_packed(states, "1", parameter.detach(), true);
  return states;
}

void step_lion(std::span<const Slot> slots, std::int64_t, const OptimOptions& options) {
  kernels::blockwise_optimizer_step(kernel_slots(slots, Decay::kDecoupled),
                                    lion_arithmetic(options),
                                    {map_like(slots.front().parameter, true)});
}

}  // namespace

const Rule& adamw_8bit_rule() {
  static const Rule rule{adamw_states, step_adamw, /*by_element=*/true};
  return rule;
}

const Rule& lion_8bit_rule() {
  static const Rule rule{lion_states, step_lion, /*by_element=*/true};
  return rule;
}

}  // namespace hone::optim
