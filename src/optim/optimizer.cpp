#include "optim/optimizer.h"

#include <algorithm>

#include "base/error.h"

namespace hone::optim {

Optimizer::Optimizer(std::vector<Parameter> parameters, const OptimOptions& options)
    : parameters_(std::move(parameters)), options_(options) {
  const torch::NoGradGuard no_grad;
  const Method& method = method_named(options.name);
  for (const Parameter& parameter : parameters_) {
    HONE_ASSERT(parameter.tensor.scalar_type() == torch::kFloat32, "{}", parameter.name);
    const Rule& rule = method.rule_for(parameter, options);
    kept_.push_back({&rule, rule.states(parameter.tensor.detach(), options),
                     parameter.decay ? options.weight_decay : 0.0});
  }
}

Slot Optimizer::slot_of(std::size_t index, double learning_rate) const {
  const Tensor& tensor = parameters_[index].tensor;
  const Tensor& gradient = tensor.grad();
  Slot slot{.parameter = tensor.detach(),
            .gradient = gradient.defined() ? gradient.contiguous() : torch::zeros_like(tensor),
            .states = {},
            .learning_rate = learning_rate,
            .weight_decay = kept_[index].weight_decay};
  for (const auto& [name, state] : kept_[index].states) slot.states.push_back(state);
  return slot;
}

void Optimizer::step(double learning_rate) {
  const torch::NoGradGuard no_grad;
  ++steps_done_;
  std::vector<const Rule*> rules;
  for (const Kept& kept : kept_)
    if (std::find(rules.begin(), rules.end(), kept.rule) == rules.end()) rules.push_back(kept.rule);
  for (const Rule* rule : rules) {
    std::vector<Slot> slots;
    for (std::size_t i = 0; i < kept_.size(); ++i)
      if (kept_[i].rule == rule) slots.push_back(slot_of(i, learning_rate));
    rule->step(slots, steps_done_, options_);
  }
}

void Optimizer::zero_grad() {
  for (Parameter& parameter : parameters_) parameter.tensor.mutable_grad().reset();
}

NamedTensors Optimizer::state() const {
  NamedTensors state;
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    for (const auto& [name, tensor] : kept_[i].states)
      state.emplace_back(parameters_[i].name + "." + name, tensor);
  return state;
}

}  // namespace hone::optim
