#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "optim/rules.h"

namespace hone::optim {
namespace {

/// Nearly U·Vᵀ of x's singular value decomposition, in bf16: the singular values end between about
/// 0.7 and 1.2. Each turn applies the odd polynomial a·s + b·s³ + c·s⁵ to them.
/// @source Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024); the
///         coefficients are theirs
Tensor orthogonalised(const Tensor& x, std::int64_t turns) {
  constexpr double a = 3.4445, b = -4.7750, c = 2.0315, kSmallestNorm = 1e-7;
  const bool tall = x.size(0) > x.size(1);
  Tensor y = x.to(torch::kBFloat16);
  if (tall) y = y.t();
  y = y / y.norm().clamp_min(kSmallestNorm);
  for (std::int64_t turn = 0; turn < turns; ++turn) {
    const Tensor gram = torch::matmul(y, y.t());
    y = torch::addmm(y, torch::addmm(gram, gram, gram, b, c), y, a, 1.0);
  }
  return tall ? y.t() : y;
}

/// What keeps an update of the same size whatever the matrix's shape.
double shape_factor(const Tensor& parameter, const std::string& adjust_lr_fn) {
  const double rows = double(parameter.size(0)), columns = double(parameter.size(1));
  if (adjust_lr_fn == "original") return std::sqrt(std::max(1.0, rows / columns));
  HONE_ASSERT(adjust_lr_fn == "match_rms_adamw", "{}", adjust_lr_fn);
  return 0.2 * std::sqrt(std::max(rows, columns));
}

NamedTensors muon_states(const Tensor& parameter, const OptimOptions&) {
  return {{"momentum_buffer", torch::zeros_like(parameter)}};
}

void step_muon(std::span<const Slot> slots, std::int64_t, const OptimOptions& options) {
  const double momentum = options.muon_momentum;
  for (const Slot& slot : slots) {
    const Tensor buffer = slot.states[0];
    buffer.lerp_(slot.gradient, 1.0 - momentum);
    const Tensor direction = options.muon_nesterov ? slot.gradient.lerp(buffer, momentum) : buffer;
    const double rate =
        slot.learning_rate * shape_factor(slot.parameter, options.muon_adjust_lr_fn);
    Tensor parameter = slot.parameter;
    parameter.mul_(1.0 - slot.learning_rate * slot.weight_decay);
    parameter.sub_(orthogonalised(direction, options.muon_ns_steps), rate);
  }
}

}  // namespace

const Rule& muon_rule() {
  static const Rule rule{muon_states, step_muon};
  return rule;
}

}  // namespace hone::optim
