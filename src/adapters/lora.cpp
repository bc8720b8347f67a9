#include "adapters/lora.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "adapters/lora_linear.h"
#include "base/error.h"
#include "base/philox.h"

namespace hone::adapters {
namespace {

class LoraLinearAdapter final : public model::LinearAdapter {
 public:
  LoraLinearAdapter(LoraLayer layer, double scaling, double dropout, std::uint32_t site,
                    std::shared_ptr<const DropoutState> state)
      : layer_(std::move(layer)),
        scaling_(scaling),
        dropout_(dropout),
        site_(site),
        state_(std::move(state)) {}

  Tensor forward(const Tensor& x, const model::Linear& base) const override {
    const bool drop = dropout_ > 0 && state_ != nullptr && state_->training;
    const kernels::DropoutKey key =
        drop ? kernels::DropoutKey{state_->seed, state_->step, site_, state_->first_row}
             : kernels::DropoutKey{};
    return lora_linear(x, base, base.bias, layer_.a, layer_.b, scaling_, drop ? dropout_ : 0.0,
                       key);
  }

 private:
  LoraLayer layer_;
  double scaling_, dropout_;
  std::uint32_t site_;  ///< the layer's number: no two layers share a mask
  std::shared_ptr<const DropoutState> state_;
};

/// A name matches where it is the module's last parts: `q_proj`, `self_attn.q_proj`, or all of it.
bool is_suffix(const std::string& target, const std::string& module) {
  return module == target || module.ends_with("." + target);
}

/// Kaiming-uniform with a = √5 has the bound √(6 / ((1 + a²)·in)) = 1/√in.
Tensor kaiming_uniform(std::int64_t rows, std::int64_t columns, std::uint64_t seed,
                       std::uint64_t site) {
  const Tensor tensor = torch::empty({rows, columns}, torch::kFloat32);
  const Philox random(seed);
  const float bound = 1.0f / std::sqrt(float(columns));
  float* out = tensor.mutable_data_ptr<float>();
  const auto stream = (static_cast<std::uint64_t>(RandomStream::kAdapterInit) << 32) | site;
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    const auto words = random(static_cast<std::uint64_t>(i / 4), stream);
    out[i] = (2.0f * Philox::uniform(words.w[i % 4]) - 1.0f) * bound;
  }
  return tensor;
}

}  // namespace

double Lora::scaling() const {
  return options.lora_alpha /
         (options.use_rslora ? std::sqrt(double(options.r)) : double(options.r));
}

std::int64_t Lora::parameter_count() const {
  std::int64_t count = 0;
  for (const LoraLayer& layer : layers) count += layer.a.numel() + layer.b.numel();
  return count;
}

Lora init_lora(model::Decoder& decoder, const AdapterOptions& options, std::uint64_t seed) {
  Lora lora{options, {}};
  const auto& targets = options.target_modules;
  const bool all = std::count(targets.begin(), targets.end(), "all-linear") > 0;
  std::vector<bool> used(targets.size(), false);
  std::uint64_t site = 0;
  model::for_each_linear(decoder, [&](model::Linear& linear) {
    bool chosen = all;
    for (std::size_t i = 0; i < targets.size(); ++i)
      if (is_suffix(targets[i], linear.name)) used[i] = chosen = true;
    const std::uint64_t this_site = site++;
    if (!chosen) return;
    const std::int64_t out = linear.out_features(), in = linear.in_features();
    const auto place = torch::TensorOptions(decoder.device());
    lora.layers.push_back({linear.name,
                           kaiming_uniform(options.r, in, seed, this_site).to(decoder.device()),
                           torch::zeros({out, options.r}, place.dtype(torch::kFloat32))});
  });
  for (std::size_t i = 0; i < targets.size(); ++i)
    HONE_CHECK(ConfigError, used[i] || targets[i] == "all-linear",
               "adapter.target_modules: `{}` is no linear layer of this model; its layers are "
               "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, or all-linear",
               targets[i]);
  lora.options.target_modules = name_targets(lora.layers, decoder);
  return lora;
}

std::vector<std::string> name_targets(const std::vector<LoraLayer>& layers,
                                      model::Decoder& decoder) {
  const auto last_name = [](const std::string& module) {
    return module.substr(module.rfind('.') + 1);
  };
  std::map<std::string, std::int64_t> not_adapted;
  model::for_each_linear(decoder,
                         [&](model::Linear& linear) { ++not_adapted[last_name(linear.name)]; });
  for (const LoraLayer& layer : layers) --not_adapted[last_name(layer.module)];
  std::set<std::string> names;
  for (const LoraLayer& layer : layers) {
    const std::string last = last_name(layer.module);
    names.insert(not_adapted[last] == 0 ? last : layer.module);
  }
  return {names.begin(), names.end()};
}

void attach(const Lora& lora, model::Decoder& decoder,
            std::shared_ptr<const DropoutState> dropout_state) {
  detach(decoder);
  std::uint32_t site = 0;
  std::size_t attached = 0;
  model::for_each_linear(decoder, [&](model::Linear& linear) {
    const std::uint32_t this_site = site++;
    for (const LoraLayer& layer : lora.layers) {
      if (layer.module != linear.name) continue;
      linear.adapter = std::make_shared<LoraLinearAdapter>(
          layer, lora.scaling(), lora.options.lora_dropout, this_site, dropout_state);
      ++attached;
    }
  });
  HONE_ASSERT(attached == lora.layers.size(), "{} of {} layers", attached, lora.layers.size());
}

void detach(model::Decoder& decoder) {
  model::for_each_linear(decoder, [](model::Linear& linear) { linear.adapter.reset(); });
}

}  // namespace hone::adapters
