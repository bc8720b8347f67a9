#include "optim/optimizer.h"

#include <algorithm>

#include "base/error.h"

namespace hone::optim {

Optimizer::Optimizer(std::vector<Parameter> parameters, const OptimOptions& options)
    : parameters_(std::move(parameters)), options_(options) {
  const torch::NoGradGuard no_grad;
  const Method& method = method_named(options.name);
  const std::vector<Rates> rates = rates_of(parameters_, options);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    HONE_ASSERT(parameter.tensor.scalar_type() == torch::kFloat32, "{}", parameter.name);
    const Rule& rule = method.rule_for(parameter, options);
    const Tensor tensor = parameter.tensor.detach();
    kept_.push_back({&rule, rule.states(tensor, options), rates[i],
                     options.ema_decay > 0 ? tensor.clone() : Tensor()});
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
  // The kernels write behind LibTorch's back; what is kept by a tensor's version has to see it.
  for (const Parameter& parameter : parameters_)
    parameter.tensor.unsafeGetTensorImpl()->bump_version();
  update_averages();
}

void Optimizer::update_averages() {
  if (options_.ema_decay == 0) return;
  for (std::size_t i = 0; i < kept_.size(); ++i)
    kept_[i].average.lerp_(parameters_[i].tensor, 1.0 - options_.ema_decay);
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
