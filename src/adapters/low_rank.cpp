#include "adapters/low_rank.h"

#include <ATen/ops/linear.h>

#include "adapters/lora_linear.h"
#include "adapters/site.h"
#include "base/error.h"

namespace hone::adapters {
namespace {

/// The bias in the compute dtype, where it can go into a product with a frozen base: a bias that is
/// trained is added behind it.
Tensor frozen_bias(const model::Linear& base, torch::Dtype dtype) {
  return base.bias.defined() && !base.bias.requires_grad() ? base.bias.to(dtype) : Tensor();
}

Tensor with_trained_bias(const Tensor& y, const model::Linear& base) {
  return base.bias.defined() && base.bias.requires_grad() ? y + base.bias.to(y.scalar_type()) : y;
}

class LowRankAdapter final : public model::LinearAdapter {
 public:
  LowRankAdapter(std::function<Factors()> factors, double scaling, Dropping dropping)
      : factors_(std::move(factors)), scaling_(scaling), dropping_(std::move(dropping)) {}

  Tensor forward(const Tensor& x, const model::Linear& base) const override {
    const Factors f = factors_();
    const auto dtype = x.scalar_type();
    const Tensor y = lora_linear(x, base, frozen_bias(base, dtype), f.a, f.b, scaling_,
                                 dropping_.active_probability(), dropping_.key());
    const Tensor biased = f.bias.defined() ? y + (f.bias * scaling_).to(dtype) : y;
    return with_trained_bias(biased, base);
  }

  Tensor merged_weight(const model::Linear& base) const override {
    const Factors f = factors_();
    return base_weight(base, torch::kFloat32) + f.b.mm(f.a) * scaling_;
  }

  Tensor merged_bias(const model::Linear& base) const override {
    const Factors f = factors_();
    if (!f.bias.defined()) return base.bias;
    HONE_CHECK(ConfigError, base.bias.defined(),
               "{}: the adapter's lora_bias cannot be merged: the layer of the base has no bias to "
               "hold it",
               base.name);
    return base.bias.to(torch::kFloat32) + f.bias * scaling_;
  }

 private:
  std::function<Factors()> factors_;
  double scaling_;
  Dropping dropping_;
};

class DeltaAdapter final : public model::LinearAdapter {
 public:
  DeltaAdapter(std::function<Tensor()> delta, Dropping dropping)
      : delta_(std::move(delta)), dropping_(std::move(dropping)) {}

  Tensor forward(const Tensor& x, const model::Linear& base) const override {
    return base.base_forward(x) + at::linear(dropping_(x), delta_().to(x.scalar_type()));
  }
  Tensor merged_weight(const model::Linear& base) const override {
    return base_weight(base, torch::kFloat32) + delta_();
  }

 private:
  std::function<Tensor()> delta_;
  Dropping dropping_;
};

class RotationAdapter final : public model::LinearAdapter {
 public:
  explicit RotationAdapter(Rotation rotation) : rotation_(std::move(rotation)) {}

  Tensor forward(const Tensor& x, const model::Linear& base) const override {
    const Tensor rotated = rotation_.rotate(x.to(torch::kFloat32)).to(x.scalar_type());
    if (!rotation_.scale.defined()) return base.base_forward(rotated);
    model::Linear without_bias;
    without_bias.name = base.name;
    without_bias.weight = base.weight;
    without_bias.packed = base.packed;
    const Tensor y = without_bias.base_forward(rotated) * rotation_.scale.to(x.scalar_type());
    return base.bias.defined() ? y + base.bias.to(x.scalar_type()) : y;
  }
  Tensor merged_weight(const model::Linear& base) const override {
    const Tensor weight = base_weight(base, torch::kFloat32);
    // (x R) Wᵀ = x (W Rᵀ)ᵀ: the identity's rows rotated are R.
    const Tensor identity = torch::eye(weight.size(1), weight.options());
    const Tensor merged = weight.mm(rotation_.rotate(identity).t());
    return rotation_.scale.defined() ? merged * rotation_.scale.unsqueeze(1) : merged;
  }

 private:
  Rotation rotation_;
};

}  // namespace

std::shared_ptr<const model::LinearAdapter> low_rank_adapter(std::function<Factors()> factors,
                                                             double scaling, Dropping dropping) {
  return std::make_shared<LowRankAdapter>(std::move(factors), scaling, std::move(dropping));
}

std::shared_ptr<const model::LinearAdapter> delta_adapter(std::function<Tensor()> delta,
                                                          Dropping dropping) {
  return std::make_shared<DeltaAdapter>(std::move(delta), std::move(dropping));
}

std::shared_ptr<const model::LinearAdapter> rotation_adapter(Rotation rotation) {
  return std::make_shared<RotationAdapter>(std::move(rotation));
}

}  // namespace hone::adapters
