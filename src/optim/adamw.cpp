#include "optim/adamw.h"

#include <ATen/ops/_fused_adamw.h>

#include <cmath>

#include "base/error.h"

namespace hone::optim {

bool takes_weight_decay(const std::string& name) {
  return name.find("norm") == std::string::npos && !name.ends_with(".bias");
}

AdamW::AdamW(std::vector<Parameter> parameters, const OptimOptions& options)
    : parameters_(std::move(parameters)), options_(options) {
  groups_ = {{options.weight_decay, {}}, {0.0, {}}};
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    HONE_ASSERT(parameter.tensor.scalar_type() == torch::kFloat32, "{}", parameter.name);
    exp_avg_.push_back(torch::zeros_like(parameter.tensor));
    exp_avg_sq_.push_back(torch::zeros_like(parameter.tensor));
    groups_[parameter.decay ? 0 : 1].members.push_back(i);
  }
}

void AdamW::step(double learning_rate) {
  const torch::NoGradGuard no_grad;
  ++steps_done_;
  for (const Group& group : groups_) {
    std::vector<Tensor> tensors, grads, exp_avg, exp_avg_sq, step_counts;
    for (const std::size_t i : group.members) {
      const Tensor& tensor = parameters_[i].tensor;
      tensors.push_back(tensor);
      grads.push_back(tensor.grad().defined() ? tensor.grad() : torch::zeros_like(tensor));
      exp_avg.push_back(exp_avg_[i]);
      exp_avg_sq.push_back(exp_avg_sq_[i]);
      step_counts.push_back(torch::full(
          {}, double(steps_done_), torch::TensorOptions(tensor.device()).dtype(torch::kFloat32)));
    }
    if (tensors.empty()) continue;
    at::_fused_adamw_(tensors, grads, exp_avg, exp_avg_sq, /*max_exp_avg_sqs=*/{}, step_counts,
                      learning_rate, options_.adam_beta1, options_.adam_beta2, group.weight_decay,
                      options_.adam_epsilon, /*amsgrad=*/false, /*maximize=*/false);
  }
}

void AdamW::zero_grad() {
  for (Parameter& parameter : parameters_) parameter.tensor.mutable_grad().reset();
}

std::vector<std::pair<std::string, Tensor>> AdamW::state() const {
  std::vector<std::pair<std::string, Tensor>> state;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    state.emplace_back(parameters_[i].name + ".exp_avg", exp_avg_[i]);
    state.emplace_back(parameters_[i].name + ".exp_avg_sq", exp_avg_sq_[i]);
  }
  return state;
}

double clip_grad_norm(const std::vector<Parameter>& parameters, double max_norm) {
  const torch::NoGradGuard no_grad;
  double sum_of_squares = 0;
  for (const Parameter& parameter : parameters) {
    if (!parameter.tensor.grad().defined()) continue;
    const double norm = parameter.tensor.grad().norm().item<double>();
    sum_of_squares += norm * norm;
  }
  const double norm = std::sqrt(sum_of_squares);
  if (max_norm <= 0 || !(norm > max_norm)) return norm;
  const double scale = max_norm / (norm + 1e-6);
  for (const Parameter& parameter : parameters)
    if (parameter.tensor.grad().defined()) parameter.tensor.grad().mul_(scale);
  return norm;
}

}  // namespace hone::optim
