#include "adapters/lora_linear.h"

#include <fmt/ranges.h>
#include <torch/csrc/autograd/custom_function.h>

#include "base/error.h"
#include "kernels/kept_input.h"

namespace hone::adapters {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// The dropout key crosses autograd's context as integers.
struct SavedKey {
  static void put(AutogradContext& context, const kernels::DropoutKey& key) {
    context.saved_data["seed"] = static_cast<std::int64_t>(key.seed);
    context.saved_data["step"] = static_cast<std::int64_t>(key.step);
    context.saved_data["site"] = static_cast<std::int64_t>(key.site);
    context.saved_data["first_row"] = static_cast<std::int64_t>(key.first_row);
  }
  static kernels::DropoutKey get(AutogradContext& context) {
    return {static_cast<std::uint64_t>(context.saved_data["seed"].toInt()),
            static_cast<std::uint64_t>(context.saved_data["step"].toInt()),
            static_cast<std::uint32_t>(context.saved_data["site"].toInt()),
            static_cast<std::uint64_t>(context.saved_data["first_row"].toInt())};
  }
};

struct LoraLinear : torch::autograd::Function<LoraLinear> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& a, const Tensor& b,
                        const model::FrozenWeight& weight, const std::optional<Tensor>& bias,
                        double scaling, double dropout, const kernels::DropoutKey& key) {
    const auto dtype = x.scalar_type();
    const Tensor dropped = kernels::dropout(x, dropout, key);
    const Tensor xa = dropped.mm(a.to(dtype).t());  // [N, r]
    Tensor y = weight.product(x, bias.value_or(Tensor()));
    y.addmm_(xa, b.to(dtype).t(), 1, scaling);
    context->save_for_backward({kernels::keep_input(*context, x), a, b, xa});
    model::keep(*context, weight);
    context->saved_data["scaling"] = scaling;
    context->saved_data["dropout"] = dropout;
    SavedKey::put(*context, key);
    return y;
  }

  // With G = dL/dy:  dB = s Gᵀ(x̃Aᵀ),  dA = s (GB)ᵀ x̃,  dx = GW + s · dropout'(GBA).
  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto saved = context->get_saved_variables();
    const Tensor x = kernels::kept_input(*context, saved[0]);
    const Tensor &a = saved[1], &b = saved[2], &xa = saved[3];
    const double scaling = context->saved_data["scaling"].toDouble();
    const double dropout = context->saved_data["dropout"].toDouble();
    const auto key = SavedKey::get(*context);
    const auto dtype = x.scalar_type();
    const Tensor g = grads[0].contiguous();

    const Tensor grad_b = g.t().mm(xa).to(b.scalar_type()).mul_(scaling);
    const Tensor gb = g.mm(b.to(dtype)).mul_(scaling);  // [N, r]
    const Tensor grad_a = gb.t().mm(kernels::dropout(x, dropout, key)).to(a.scalar_type());
    Tensor grad_x;
    if (context->needs_input_grad(0)) {
      grad_x = model::kept(*context).gradient(g);
      if (dropout == 0) {
        grad_x.addmm_(gb, a.to(dtype));
      } else {
        grad_x.add_(kernels::dropout(gb.mm(a.to(dtype)), dropout, key));
      }
    }
    return {grad_x, grad_a, grad_b, {}, {}, {}, {}, {}};
  }
};

}  // namespace

Tensor lora_linear(const Tensor& x, const model::FrozenWeight& weight, const Tensor& bias,
                   const Tensor& a, const Tensor& b, double scaling, double dropout,
                   const kernels::DropoutKey& key) {
  const std::int64_t out = weight.out_features(), in = weight.in_features();
  HONE_CHECK(ShapeError,
             x.dim() == 2 && x.size(1) == in && a.size(1) == in && b.size(0) == out &&
                 a.size(0) == b.size(1),
             "LoRA sizes do not fit: x {}, W {}x{}, A {}, B {}", fmt::join(x.sizes(), "x"), out, in,
             fmt::join(a.sizes(), "x"), fmt::join(b.sizes(), "x"));
  HONE_ASSERT(weight.is_frozen(), "the base under LoRA is frozen");
  const std::optional<Tensor> maybe_bias = bias.defined() ? std::optional(bias) : std::nullopt;
  return LoraLinear::apply(x, a, b, weight, maybe_bias, scaling, dropout, key);
}

}  // namespace hone::adapters
