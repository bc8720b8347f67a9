#include "adapters/dora_linear.h"

#include <ATen/ops/linear.h>
#include <torch/csrc/autograd/custom_function.h>

#include <array>
#include <mutex>

#include "adapters/site.h"
#include "base/error.h"
#include "kernels/kept_input.h"
#include "kernels/packed/packed.h"

namespace hone::adapters {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct DoraLinear : torch::autograd::Function<DoraLinear> {
  static Tensor forward(AutogradContext* context, const Tensor& x,
                        const model::FrozenWeight& weight, const std::optional<Tensor>& bias,
                        const Tensor& a, const Tensor& b, const Tensor& magnitude,
                        const Tensor& norms, double scaling) {
    const auto dtype = x.scalar_type();
    const Tensor xa = x.mm(a.to(dtype).t());  // [N, r]
    Tensor u = weight.product(x, {});
    u.addmm_(xa, b.to(dtype).t(), 1, scaling);
    const Tensor scale = (magnitude / norms).to(dtype);
    const Tensor y = bias ? at::addcmul(*bias, u, scale) : u * scale;
    // y = c ∘ u tells u as well, and what follows often keeps y anyway (attention its values, a
    // gated MLP both factors): u is kept only where a bias, which may be far larger, hides it.
    context->save_for_backward(
        {kernels::keep_input(*context, x), a, b, xa, bias ? u : y, norms, scale});
    context->saved_data["keeps_u"] = bias.has_value();
    model::keep(*context, weight);
    context->saved_data["scaling"] = scaling;
    return y;
  }

  // With G = dL/dy and H = c ∘ G = dL/du:  dm = Σ_N G ∘ u / ‖·‖ = Σ_N G ∘ y / (c ‖·‖),  and with H
  // as LoRA's G:  dB = s Hᵀ(xAᵀ),  dA = s (HB)ᵀ x,  dx = HW + s HBA.
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const Tensor x = kernels::kept_input(*context, saved[0]);
    const Tensor &a = saved[1], &b = saved[2], &xa = saved[3], &u_or_y = saved[4],
                 &norms = saved[5], &scale = saved[6];
    const double scaling = context->saved_data["scaling"].toDouble();
    const auto dtype = x.scalar_type();
    const Tensor& g = grads[0];
    Tensor grad_m = (g * u_or_y).sum(0, false, torch::kFloat32) / norms;
    // A magnitude of 0 leaves nothing of u in y: such a row stays as it is.
    if (!context->saved_data["keeps_u"].toBool())
      grad_m = torch::where(scale == 0, 0.0, grad_m / scale);
    const Tensor h = g * scale;
    const Tensor grad_b = h.t().mm(xa).to(b.scalar_type()).mul_(scaling);
    const Tensor hb = h.mm(b.to(dtype)).mul_(scaling);  // [N, r]
    const Tensor grad_a = hb.t().mm(x).to(a.scalar_type());
    Tensor grad_x;
    if (context->needs_input_grad(0)) {
      grad_x = model::kept(*context).gradient(h);
      grad_x.addmm_(hb, a.to(dtype));
    }
    return {grad_x, {}, {}, grad_a, grad_b, grad_m, {}, {}};
  }
};

class DoraAdapter final : public model::LinearAdapter {
 public:
  DoraAdapter(DoraTensors tensors, double scaling, Dropping dropping)
      : t_(std::move(tensors)), scaling_(scaling), dropping_(std::move(dropping)) {}

  Tensor forward(const Tensor& x, const model::Linear& base) const override {
    const auto dtype = x.scalar_type();
    const Tensor norms = current_norms(base, dtype);
    if (dropping_.is_active() || t_.bias.defined() || trains_bias(base))
      return composite(x, base, norms);
    return dora_linear(x, base, base.bias.defined() ? base.bias.to(dtype) : Tensor(), t_.a, t_.b,
                       t_.magnitude, norms, scaling_);
  }

  Tensor merged_weight(const model::Linear& base) const override {
    const Tensor whole = base_weight(base, torch::kFloat32) + t_.b.mm(t_.a) * scaling_;
    const Tensor norms = whole.detach().norm(2, 1);
    return whole * (t_.magnitude / norms).unsqueeze(1);
  }

  Tensor merged_bias(const model::Linear& base) const override {
    HONE_CHECK(ConfigError, !t_.bias.defined(), "{}: DoRA with lora_bias cannot be merged",
               base.name);
    return base.bias;
  }

 private:
  static bool trains_bias(const model::Linear& base) {
    return base.bias.defined() && base.bias.requires_grad();
  }

  /// What PEFT computes where the update's input is dropped: the base's own product stays whole,
  /// y = xWᵀ + b + (c − 1) ∘ (x̃Wᵀ) + c ∘ s x̃AᵀBᵀ.
  Tensor composite(const Tensor& x, const model::Linear& base, const Tensor& norms) const {
    const auto dtype = x.scalar_type();
    model::Linear without_bias = base;
    without_bias.bias = Tensor();
    const Tensor whole = without_bias.base_forward(x);
    const Tensor dropped = dropping_(x);
    const Tensor scale = (t_.magnitude / norms).to(dtype);
    Tensor update = at::linear(at::linear(dropped, t_.a.to(dtype)), t_.b.to(dtype));
    if (t_.bias.defined()) update = update + t_.bias.to(dtype);
    const Tensor turned = dropping_.is_active() ? without_bias.base_forward(dropped) : whole;
    const Tensor y = whole + (scale - 1) * turned + scale * update * scaling_;
    return base.bias.defined() ? y + base.bias.to(dtype) : y;
  }

  /// Which numbers the base's matrix has: a restart of ReLoRA writes others into it.
  static std::int64_t version_of(const model::Linear& base) {
    return base.packed ? base.packed->codes._version() : base.weight._version();
  }

  /// The rows' norms, computed anew only where A, B or the base have changed.
  Tensor current_norms(const model::Linear& base, torch::Dtype dtype) const {
    const torch::NoGradGuard no_grad;
    const std::lock_guard lock(mutex_);
    const std::int64_t base_version = version_of(base);
    if (!squared_.defined() || base_version != base_version_) {
      const Tensor whole = base_weight(base, torch::kFloat32);
      squared_ = (whole * whole).sum(1);
    }
    const std::array<std::int64_t, 3> versions = {static_cast<std::int64_t>(t_.a._version()),
                                                  static_cast<std::int64_t>(t_.b._version()),
                                                  base_version};
    base_version_ = base_version;
    if (!norms_.defined() || versions != versions_ || dtype_ != dtype) {
      norms_ = dora_norms(squared_, base, t_.a, t_.b, scaling_, dtype);
      versions_ = versions;
      dtype_ = dtype;
    }
    return norms_;
  }

  DoraTensors t_;
  double scaling_;
  Dropping dropping_;
  mutable std::mutex mutex_;
  mutable Tensor squared_, norms_;
  mutable std::array<std::int64_t, 3> versions_ = {};
  mutable std::int64_t base_version_ = 0;
  mutable torch::Dtype dtype_ = torch::kFloat32;
};

}  // namespace

Tensor dora_norms(const Tensor& squared_norms, const model::FrozenWeight& weight, const Tensor& a,
                  const Tensor& b, double scaling, torch::Dtype dtype) {
  const torch::NoGradGuard no_grad;
  const Tensor cross = (weight.product(a.to(dtype), {}).t().to(b.scalar_type()) * b).sum(1);
  const Tensor own = (b.mm(a.mm(a.t())) * b).sum(1);
  // Rounding may leave a hair below zero where W + sBA vanishes.
  return (squared_norms + cross * (2 * scaling) + own * (scaling * scaling)).clamp_min(0).sqrt();
}

Tensor dora_linear(const Tensor& x, const model::FrozenWeight& weight, const Tensor& bias,
                   const Tensor& a, const Tensor& b, const Tensor& magnitude, const Tensor& norms,
                   double scaling) {
  HONE_ASSERT(weight.is_frozen() && (!bias.defined() || !bias.requires_grad()),
              "the base under DoRA is frozen");
  const std::optional<Tensor> maybe_bias = bias.defined() ? std::optional(bias) : std::nullopt;
  return DoraLinear::apply(x, weight, maybe_bias, a, b, magnitude, norms, scaling);
}

std::shared_ptr<const model::LinearAdapter> dora_adapter(DoraTensors tensors, double scaling,
                                                         Dropping dropping) {
  return std::make_shared<DoraAdapter>(std::move(tensors), scaling, std::move(dropping));
}

}  // namespace hone::adapters
