#include <ATen/ops/linear.h>
#include <ATen/ops/silu.h>

#include "adapters/methods/keys.h"

namespace hone::adapters {
namespace {

std::vector<TensorSpec> bottleneck_tensors(const Site& site, const Settings& settings) {
  const auto width = settings.get<std::int64_t>("r");
  return {{"adapter_down.weight", {width, site.out}, kaiming_uniform()},
          {"adapter_down.bias", {width}, zeros()},
          {"adapter_up.weight", {site.out, width}, zeros()},
          {"adapter_up.bias", {site.out}, zeros()}};
}

/// y + U·silu(D·y + d) + u behind a projection.
class BottleneckAdapter final : public model::LinearAdapter {
 public:
  explicit BottleneckAdapter(Tensors tensors) : t_(std::move(tensors)) {}

  Tensor forward(const Tensor& x, const model::Linear& base) const override {
    const Tensor y = base.base_forward(x);
    const auto layer = [&](const std::string& name, const Tensor& in) {
      return at::linear(in, t_.at(name + ".weight").to(y.scalar_type()),
                        t_.at(name + ".bias").to(y.scalar_type()));
    };
    return y + layer("adapter_up", at::silu(layer("adapter_down", y)));
  }
  Tensor merged_weight(const model::Linear& base) const override {
    throw ConfigError(fmt::format(
        "{}: a bottleneck adapter is not linear, so no weight of the base can hold it; serve it "
        "with hone, unmerged",
        base.name));
  }

 private:
  Tensors t_;
};

std::shared_ptr<const model::LinearAdapter> bottleneck_linear(const Place& place) {
  return std::make_shared<BottleneckAdapter>(place.own);
}

}  // namespace

/// Behind each attention and each feed-forward block, before their residual sums: o_proj and
/// down_proj where target_modules says nothing else.
/// @source arXiv:1902.00751, section 2.1
Method bottleneck_method() {
  Method method;
  method.name = "bottleneck";
  method.peft_type = "BOTTLENECK";  // PEFT has none
  method.help = "small networks behind o_proj and down_proj (arXiv:1902.00751); hone's own format.";
  method.keys = target_keys() + std::vector<ConfigKey>{option("r", 16)};
  method.kinds = {SiteKind::kLinear};
  method.tensors = bottleneck_tensors;
  method.linear = bottleneck_linear;
  return method;
}

}  // namespace hone::adapters
