#include <algorithm>

#include "optim/kernel_slots.h"
#include "optim/rules.h"

namespace hone::optim {
namespace {

/// A wide matrix [m, n] is projected on its left singular vectors, a tall one on its right ones:
/// the moments then have rank × the longer side.
bool projects_rows(const Tensor& matrix) { return matrix.size(0) < matrix.size(1); }

/// @return [shorter side, rank], orthonormal columns
Tensor leading_vectors(const Tensor& gradient, std::int64_t rank) {
  const auto [u, s, vh] = torch::linalg_svd(gradient, /*full_matrices=*/false);
  const Tensor vectors = projects_rows(gradient) ? u : vh.t();
  return vectors.slice(1, 0, rank).contiguous();
}

Tensor project(const Tensor& gradient, const Tensor& basis) {
  return projects_rows(gradient) ? torch::matmul(basis.t(), gradient)
                                 : torch::matmul(gradient, basis);
}

Tensor project_back(const Tensor& low, const Tensor& basis, bool rows) {
  return rows ? torch::matmul(basis, low) : torch::matmul(low, basis.t());
}

NamedTensors galore_states(const Tensor& parameter, const OptimOptions& options) {
  const std::int64_t rank = options.galore_rank;
  const std::int64_t shorter = std::min(parameter.size(0), parameter.size(1));
  const std::int64_t longer = std::max(parameter.size(0), parameter.size(1));
  const auto plain = parameter.options().requires_grad(false);
  const std::vector<std::int64_t> low = projects_rows(parameter)
                                            ? std::vector<std::int64_t>{rank, longer}
                                            : std::vector<std::int64_t>{longer, rank};
  NamedTensors states = {{"projection", torch::zeros({shorter, rank}, plain)},
                         {"exp_avg", torch::zeros(low, plain)},
                         {"exp_avg_sq", torch::zeros(low, plain)}};
  if (options.amsgrad) states.emplace_back("max_exp_avg_sq", torch::zeros(low, plain));
  return states;
}

void step_galore(std::span<const Slot> slots, std::int64_t step, const OptimOptions& options) {
  for (const Slot& slot : slots) {
    const Tensor& basis = slot.states[0];
    if ((step - 1) % options.galore_update_proj_gap == 0)
      basis.copy_(leading_vectors(slot.gradient, options.galore_rank));
    // AdamW from zero at rate 1 leaves −update.
    const Tensor low = project(slot.gradient, basis).contiguous();
    const Slot projected{.parameter = torch::zeros_like(low),
                         .gradient = low,
                         .states = {slot.states.begin() + 1, slot.states.end()},
                         .learning_rate = 1.0,
                         .weight_decay = 0.0};
    adamw_rule().step({&projected, 1}, step, options);
    Tensor parameter = slot.parameter;
    parameter.mul_(1.0 - slot.learning_rate * slot.weight_decay);
    parameter.add_(project_back(projected.parameter, basis, projects_rows(parameter)),
                   slot.learning_rate * options.galore_scale);
  }
}

}  // namespace

const Rule& galore_adamw_rule() {
  static const Rule rule{galore_states, step_galore};
  return rule;
}

}  // namespace hone::optim
