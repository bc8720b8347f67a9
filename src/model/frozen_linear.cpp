#include "model/frozen_linear.h"

#include <ATen/ops/linear.h>
#include <torch/csrc/autograd/custom_function.h>

#include "base/error.h"
#include "kernels/packed/packed.h"

namespace hone::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// A weight in autograd's context, which takes what IValues hold.
struct Held final : torch::CustomClassHolder {
  explicit Held(FrozenWeight held) : weight(std::move(held)) {}
  FrozenWeight weight;
};

struct PackedLinear : torch::autograd::Function<PackedLinear> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const FrozenWeight& weight,
                        const std::optional<Tensor>& bias) {
    keep(*context, weight);
    if (bias) context->save_for_backward({*bias});
    return weight.product(x, bias.value_or(Tensor()));
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const Tensor g = grads[0].contiguous();
    const variable_list saved = context->get_saved_variables();
    Tensor grad_x, grad_bias;
    if (context->needs_input_grad(0)) grad_x = kept(*context).gradient(g);
    if (!saved.empty() && context->needs_input_grad(1))
      grad_bias = g.sum(0).to(saved[0].scalar_type());
    return {grad_x, {}, grad_bias};
  }
};

}  // namespace

std::int64_t FrozenWeight::out_features() const { return packed ? packed->rows : weight.size(0); }

std::int64_t FrozenWeight::in_features() const { return packed ? packed->columns : weight.size(1); }

Tensor FrozenWeight::product(const Tensor& x_NI, const Tensor& bias_O) const {
  const auto dtype = x_NI.scalar_type();
  const Tensor bias = bias_O.defined() ? bias_O.to(dtype) : bias_O;
  return packed ? kernels::packed_product(x_NI, *packed, bias)
                : at::linear(x_NI, weight.to(dtype), bias);
}

Tensor FrozenWeight::gradient(const Tensor& g_NO) const {
  return packed ? kernels::packed_gradient(g_NO, *packed) : g_NO.mm(weight.to(g_NO.scalar_type()));
}

void keep(AutogradContext& context, const FrozenWeight& weight) {
  context.saved_data["weight"] = c10::IValue::make_capsule(c10::make_intrusive<Held>(weight));
}

const FrozenWeight& kept(AutogradContext& context) {
  return static_cast<const Held&>(*context.saved_data["weight"].toCapsule()).weight;
}

Tensor packed_linear(const Tensor& x_NI, const Linear& linear) {
  HONE_ASSERT(linear.packed != nullptr, "{}", linear.name);
  const std::optional<Tensor> bias =
      linear.bias.defined() ? std::optional(linear.bias) : std::nullopt;
  return PackedLinear::apply(x_NI, FrozenWeight(linear), bias);
}

}  // namespace hone::model
