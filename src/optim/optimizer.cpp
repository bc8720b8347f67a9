#include "optim/optimizer.h"

#include <algorithm>

#include "base/error.h"
#include "optim/rounded_step.h"

namespace hone::optim {

Optimizer::Optimizer(std::vector<Parameter> parameters, const OptimOptions& options,
                     std::uint64_t seed)
    : parameters_(std::move(parameters)), options_(options), seed_(seed) {
  const torch::NoGradGuard no_grad;
  const Method& method = method_named(options.name);
  const std::vector<Rates> rates = rates_of(parameters_, options);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    HONE_ASSERT(parameter.tensor.scalar_type() == torch::kFloat32 ||
                    parameter.tensor.scalar_type() == torch::kBFloat16,
                "{}", parameter.name);
    const Rule& rule = method.rule_for(parameter, options);
    // States and averages are fp32 whatever the parameter is: bf16 would lose what they gather.
    const Tensor wide = parameter.tensor.detach().to(torch::kFloat32);
    // Of another rank's part there is nothing to remember.
    const bool is_empty = parameter.part && wide.numel() == 0;
    kept_.push_back({&rule, is_empty ? NamedTensors() : rule.states(wide, options), rates[i],
                     options.ema_decay > 0 ? wide.clone() : Tensor()});
  }
}

Slot Optimizer::slot_of(std::size_t index, double learning_rate) const {
  const Tensor& tensor = parameters_[index].tensor;
  const Tensor& gradient = tensor.grad();
  Slot slot{.parameter = tensor.detach(),
            .gradient = gradient.defined() ? gradient.contiguous() : torch::zeros_like(tensor),
            .states = {},
            .learning_rate = learning_rate * kept_[index].rates.learning_rate_ratio,
            .weight_decay = kept_[index].rates.weight_decay};
  for (const auto& [name, state] : kept_[index].states) slot.states.push_back(state);
  return slot;
}

void Optimizer::step(double learning_rate) {
  const torch::NoGradGuard no_grad;
  begin_step();
  std::vector<const Rule*> rules;
  for (const Kept& kept : kept_)
    if (std::find(rules.begin(), rules.end(), kept.rule) == rules.end()) rules.push_back(kept.rule);
  for (const Rule* rule : rules) {
    std::vector<Slot> slots;
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      if (kept_[i].rule != rule || parameters_[i].tensor.numel() == 0) continue;
      const Slot slot = slot_of(i, learning_rate);
      if (slot.parameter.scalar_type() == torch::kBFloat16)
        update_rounded(i, slot);
      else
        slots.push_back(slot);
    }
    if (!slots.empty()) rule->step(slots, steps_done_, options_);
  }
  for (std::size_t i = 0; i < kept_.size(); ++i) conclude(i);
}

void Optimizer::update(std::size_t index, double learning_rate) {
  const torch::NoGradGuard no_grad;
  const Slot slot = slot_of(index, learning_rate);
  if (slot.parameter.scalar_type() == torch::kBFloat16)
    update_rounded(index, slot);
  else
    kept_[index].rule->step({&slot, 1}, steps_done_, options_);
  conclude(index);
}

void Optimizer::update_rounded(std::size_t index, const Slot& slot) {
  step_rounded(*kept_[index].rule, slot, steps_done_, options_,
               {.seed = seed_,
                .step = static_cast<std::uint64_t>(steps_done_),
                .tensor = static_cast<std::uint32_t>(index)},
               parameters_[index].part ? parameters_[index].part->begin : 0);
}

void Optimizer::conclude(std::size_t index) {
  // The kernels write behind LibTorch's back; what is kept by a tensor's version has to see it.
  const Tensor& tensor = parameters_[index].tensor;
  tensor.unsafeGetTensorImpl()->bump_version();
  const Tensor& average = kept_[index].average;
  if (average.defined())
    average.lerp_(tensor.detach().to(torch::kFloat32), 1.0 - options_.ema_decay);
}

void Optimizer::take_averages() {
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < kept_.size(); ++i)
    if (kept_[i].average.defined()) parameters_[i].tensor.copy_(kept_[i].average);
}

void Optimizer::zero_grad() {
  for (Parameter& parameter : parameters_) parameter.tensor.mutable_grad().reset();
}

NamedTensors Optimizer::state() const {
  NamedTensors state;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    for (const auto& [name, tensor] : kept_[i].states)
      state.emplace_back(parameters_[i].name + "." + name, tensor);
    if (kept_[i].average.defined())
      state.emplace_back(parameters_[i].name + ".ema", kept_[i].average);
  }
  return state;
}

}  // namespace hone::optim
