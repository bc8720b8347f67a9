#include "adapters/methods/keys.h"
#include "adapters/pattern.h"

namespace hone::adapters {
namespace {

/// A feed-forward module scales what goes in, another one what comes out.
bool is_feedforward(const Site& site, const Settings& settings) {
  const auto& value = settings.values().at("feedforward_modules");
  if (value.is_string()) return Pattern(value.get<std::string>()).matches(site.name);
  for (const std::string& name : settings.texts("feedforward_modules"))
    if (is_suffix(name, site.name)) return true;
  return false;
}

std::vector<TensorSpec> ia3_tensors(const Site& site, const Settings& settings) {
  if (is_feedforward(site, settings)) return {{"ia3_l", {1, site.in}, constant(1)}};
  return {{"ia3_l", {site.out, 1}, constant(1)}};
}

class Ia3Adapter final : public model::LinearAdapter {
 public:
  Ia3Adapter(Tensor scale, bool scales_input)
      : scale_(std::move(scale)), scales_input_(scales_input) {}

  Tensor forward(const Tensor& x, const model::Linear& base) const override {
    const Tensor scale = scale_.flatten().to(x.scalar_type());
    return scales_input_ ? base.base_forward(x * scale) : base.base_forward(x) * scale;
  }
  Tensor merged_weight(const model::Linear& base) const override {
    return base_weight(base, torch::kFloat32) * scale_;  // [1, in] or [out, 1]
  }
  Tensor merged_bias(const model::Linear& base) const override {
    if (scales_input_ || !base.bias.defined()) return base.bias;
    return base.bias.to(torch::kFloat32) * scale_.flatten();
  }

 private:
  Tensor scale_;
  bool scales_input_;
};

std::shared_ptr<const model::LinearAdapter> ia3_linear(const Place& place) {
  return std::make_shared<Ia3Adapter>(place.own.at("ia3_l"),
                                      is_feedforward(place.site, place.settings));
}

}  // namespace

/// @source arXiv:2205.05638, section 3.3
Method ia3_method() {
  Method method;
  method.name = "ia3";
  method.peft_type = "IA3";
  method.help = "a factor for each output or input (arXiv:2205.05638).";
  method.keys = {option("target_modules", nullptr),  option("exclude_modules", nullptr),
                 option("modules_to_save", nullptr), option("feedforward_modules", nullptr),
                 free_key("init_ia3_weights", true), fixed("fan_in_fan_out", false)};
  method.kinds = {SiteKind::kLinear, SiteKind::kHead};
  method.tensors = ia3_tensors;
  method.linear = ia3_linear;
  return method;
}

}  // namespace hone::adapters
