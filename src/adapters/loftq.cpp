#include "adapters/loftq.h"

#include "adapters/methods/keys.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "quant/quantize.h"

namespace hone::adapters {
namespace {

Tensor packed_and_back(const Tensor& weight, const quant::Recipe& recipe) {
  return kernels::dequantize(quant::quantize(weight, recipe), torch::kFloat32);
}

/// @throws ConfigError where it is not packed to 4 bits
model::Linear& packed_layer(model::Decoder& decoder, const Site& site, const std::string& where) {
  model::Linear* linear = site.kind == SiteKind::kLinear ? &linear_at(decoder, site) : nullptr;
  HONE_CHECK(ConfigError,
             linear != nullptr && linear->packed &&
                 quant::is_four_bit(quant::recipe_of(*linear->packed).format),
             "{}: init_lora_weights: loftq makes good what 4-bit packing loses, and {} is not "
             "packed so; leave it out of target_modules, or set model.quantization: nf4",
             where, site.name);
  return *linear;
}

/// DoRA's magnitudes are those of the matrix that it begins with: base and update together.
void set_magnitude(Tensors& tensors, const model::Linear& linear, double scaling) {
  const auto magnitude = tensors.find("lora_magnitude_vector");
  if (magnitude == tensors.end()) return;
  const Tensor update = tensors.at("lora_B.weight").mm(tensors.at("lora_A.weight")) * scaling;
  magnitude->second.copy_((base_weight(linear, torch::kFloat32) + update).norm(2, 1));
}

}  // namespace

LoftqSplit split_by_loftq(const Tensor& weight, const quant::Recipe& recipe, std::int64_t r,
                          double scaling, std::int64_t rounds) {
  const torch::NoGradGuard no_grad;
  LoftqSplit split{weight, {}};
  for (std::int64_t round = 0; round < rounds; ++round) {
    if (round > 0) split.packed_from = weight - split.directions.b.mm(split.directions.a) * scaling;
    const Tensor lost = weight - packed_and_back(split.packed_from, recipe);
    split.directions = balanced(exact_svd(lost), r, scaling);
  }
  return split;
}

std::optional<ChangedBase> begin_by_loftq(Adapter& adapter, model::Decoder& decoder,
                                          const model::StoredWeights& stored, std::int64_t rounds) {
  const torch::NoGradGuard no_grad;
  ChangedBase base;
  for (AdaptedModule& module : adapter.modules) {
    leave_if_interrupted();
    const Site& site = module.site;
    model::Linear& linear = packed_layer(decoder, site, adapter.settings.where());
    const double scaling = lora_scaling(site, adapter.settings);
    const LoftqSplit split =
        split_by_loftq(stored.read(site.name + ".weight"), quant::recipe_of(*linear.packed),
                       rank_of(adapter.settings, site.name), scaling, rounds);
    if (rounds > 1) {
      base.take_over(linear);
      base.put(linear.name, split.packed_from);
    }
    module.tensors["lora_A.weight"].copy_(split.directions.a);
    module.tensors["lora_B.weight"].copy_(split.directions.b);
    set_magnitude(module.tensors, linear, scaling);
  }
  return rounds > 1 ? std::optional(std::move(base)) : std::nullopt;
}

}  // namespace hone::adapters
