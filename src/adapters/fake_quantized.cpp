#include "adapters/fake_quantized.h"

#include <torch/csrc/autograd/custom_function.h>

#include <mutex>
#include <optional>

#include "adapters/site.h"
#include "base/error.h"
#include "kernels/packed/packed.h"
#include "model/frozen_linear.h"
#include "quant/integer_groups.h"
#include "quant/quantize.h"

namespace hone::adapters {
namespace {

using kernels::PackedMatrix;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct FakeQuantizedLinear : torch::autograd::Function<FakeQuantizedLinear> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        const model::FrozenWeight& packed, const std::optional<Tensor>& bias,
                        const Tensor& places_cut) {
    context->save_for_backward({x, places_cut});
    model::keep(*context, packed);
    context->saved_data["weight_dtype"] = static_cast<std::int64_t>(weight.scalar_type());
    if (bias) context->saved_data["bias_dtype"] = static_cast<std::int64_t>(bias->scalar_type());
    return packed.product(x, bias.value_or(Tensor()));
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const Tensor g = grads[0].contiguous();
    const variable_list saved = context->get_saved_variables();
    const auto dtype = [context](const char* key) {
      return static_cast<torch::Dtype>(context->saved_data[key].toInt());
    };
    Tensor grad_x, grad_weight, grad_bias;
    if (context->needs_input_grad(0)) grad_x = model::kept(*context).gradient(g);
    if (context->needs_input_grad(1)) {
      grad_weight = g.t().mm(saved[0]).to(dtype("weight_dtype"));
      if (saved[1].numel() > 0) grad_weight.view({-1}).index_fill_(0, saved[1], 0);
    }
    if (context->needs_input_grad(2)) grad_bias = g.sum(0).to(dtype("bias_dtype"));
    return {grad_x, grad_weight, {}, grad_bias, {}};
  }
};

class FakeQuantized final : public model::LinearAdapter {
 public:
  FakeQuantized(std::shared_ptr<const model::LinearAdapter> inner,
                std::shared_ptr<const FakeQuantization> how)
      : inner_(std::move(inner)), how_(std::move(how)) {}

  Tensor forward(const Tensor& x, const model::Linear& base) const override {
    if (!how_->is_active) return inner_ ? inner_->forward(x, base) : base.base_forward(x);
    const Tensor weight = exact_weight(base);
    return fake_quantized_linear(x, weight, current(weight), merged_bias(base));
  }

  Tensor merged_weight(const model::Linear& base) const override {
    const Tensor weight = exact_weight(base);
    return how_->is_active ? kernels::dequantize(*current(weight).matrix, torch::kFloat32) : weight;
  }

  Tensor merged_bias(const model::Linear& base) const override {
    return inner_ ? inner_->merged_bias(base) : base.bias;
  }

  void pack(model::Linear& linear) const {
    const torch::NoGradGuard no_grad;
    linear.bias = merged_bias(linear);
    linear.packed = pack_for_training(exact_weight(linear), how_->recipe).matrix;
    linear.weight.reset();
  }

 private:
  Tensor exact_weight(const model::Linear& base) const {
    return inner_ ? inner_->merged_weight(base) : base_weight(base, torch::kFloat32);
  }

  /// The packed weight, made anew only where a parameter has changed.
  PackedWeight current(const Tensor& weight) const {
    const std::lock_guard lock(mutex_);
    const std::uint64_t version = how_->version();
    if (!packed_.matrix || version_ != version) {
      packed_ = pack_for_training(weight, how_->recipe);
      version_ = version;
    }
    return packed_;
  }

  std::shared_ptr<const model::LinearAdapter> inner_;
  std::shared_ptr<const FakeQuantization> how_;
  mutable std::mutex mutex_;
  mutable PackedWeight packed_;
  mutable std::uint64_t version_ = 0;
};

}  // namespace

std::uint64_t FakeQuantization::version() const {
  std::uint64_t sum = 0;
  for (const Tensor& parameter : parameters) sum += parameter._version();
  return sum;
}

PackedWeight pack_for_training(const Tensor& weight_OI, const quant::Recipe& recipe) {
  const torch::NoGradGuard no_grad;
  const Tensor weight = weight_OI.detach();
  // Integers by group are made where the weight is, the other formats on the CPU.
  const bool by_group = quant::is_integer_group(recipe.format);
  const PackedMatrix packed = quant::quantize(by_group ? weight : weight.to(torch::kCPU), recipe);
  return {std::make_shared<PackedMatrix>(kernels::to_device(packed, weight.device())),
          by_group ? quant::places_cut(weight, packed)
                   : torch::empty({0}, weight.options().dtype(torch::kInt64))};
}

Tensor fake_quantized_linear(const Tensor& x_NI, const Tensor& weight_OI,
                             const PackedWeight& packed, const Tensor& bias_O) {
  model::Linear layer;
  layer.packed = packed.matrix;
  const std::optional<Tensor> bias = bias_O.defined() ? std::optional(bias_O) : std::nullopt;
  return FakeQuantizedLinear::apply(x_NI, weight_OI, model::FrozenWeight(layer), bias,
                                    packed.places_cut);
}

void add_fake_quantization(model::Linear& linear, std::shared_ptr<const FakeQuantization> how) {
  quant::check_fits(how->recipe, linear.name, linear.in_features());
  if (linear.adapter) {
    const torch::NoGradGuard no_grad;
    linear.adapter->merged_weight(linear);  // throws where there is none
    linear.adapter->merged_bias(linear);
  }
  linear.adapter = std::make_shared<FakeQuantized>(linear.adapter, std::move(how));
}

bool pack_fake_quantized(model::Linear& linear) {
  const auto adapter = std::dynamic_pointer_cast<const FakeQuantized>(linear.adapter);
  if (!adapter) return false;
  adapter->pack(linear);
  linear.adapter.reset();
  return true;
}

}  // namespace hone::adapters
