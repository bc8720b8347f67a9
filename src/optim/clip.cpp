#include "optim/clip.h"

#include <cmath>

namespace hone::optim {

double norm_of(const Tensor& gradient) { return gradient.norm(2, torch::kFloat32).item<double>(); }

double clip_grad_norm(const std::vector<Parameter>& parameters, double max_norm,
                      const std::function<double(double squares)>& of_all) {
  const torch::NoGradGuard no_grad;
  double sum_of_squares = 0;
  for (const Parameter& parameter : parameters) {
    if (!parameter.tensor.grad().defined()) continue;
    const double norm = norm_of(parameter.tensor.grad());
    sum_of_squares += norm * norm;
  }
  const double norm = std::sqrt(of_all ? of_all(sum_of_squares) : sum_of_squares);
  if (max_norm <= 0 || !(norm > max_norm)) return norm;
  const double scale = max_norm / (norm + 1e-6);
  for (const Parameter& parameter : parameters)
    if (parameter.tensor.grad().defined()) parameter.tensor.grad().mul_(scale);
  return norm;
}

void clip_grad_value(const std::vector<Parameter>& parameters, double max_value) {
  if (max_value <= 0) return;
  const torch::NoGradGuard no_grad;
  for (const Parameter& parameter : parameters)
    if (parameter.tensor.grad().defined()) parameter.tensor.grad().clamp_(-max_value, max_value);
}

}  // namespace hone::optim
