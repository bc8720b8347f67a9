// AdaLoRA: singular values whose number adapts to each layer's need.

#include "adapters/low_rank.h"
#include "adapters/methods/keys.h"

namespace hone::adapters {
namespace {

using nlohmann::json;

/// The rank that is left of a layer: rank_pattern holds, by the name of its singular values, which
/// of them were kept.
std::int64_t kept_rank(const Site& site, const Settings& settings) {
  const json& pattern = settings.values().at("rank_pattern");
  const auto first = settings.get<std::int64_t>("init_r");
  if (!pattern.is_object()) return first;
  const auto kept = pattern.find(site.name + ".lora_E");
  if (kept == pattern.end()) return first;
  std::int64_t rank = 0;
  for (const json& one : *kept) rank += one.get<bool>() ? 1 : 0;
  return rank;
}

std::vector<TensorSpec> adalora_tensors(const Site& site, const Settings& settings) {
  const std::int64_t r = kept_rank(site, settings);
  return {{"lora_A", {r, site.in}, normal(0.02)},
          {"lora_B", {site.out, r}, normal(0.02)},
          {"lora_E", {r, 1}, zeros()}};
}

std::shared_ptr<const model::LinearAdapter> adalora_linear(const Place& place) {
  // Divided by the rank at the start, whatever is left of it.
  const double scaling =
      place.settings.get<double>("lora_alpha") / (place.settings.get<double>("init_r") + 1e-5);
  const Tensor a = place.own.at("lora_A"), b = place.own.at("lora_B"), e = place.own.at("lora_E");
  return low_rank_adapter([a, b, e] { return Factors{a * e, b, {}}; }, scaling, place.dropping);
}

/// How far A's rows and B's columns are from orthonormal: the mean of ‖AAᵀ − I‖ and ‖BᵀB − I‖.
Tensor orthogonality(const Settings& settings, const std::vector<const Tensors*>& layers) {
  std::vector<Tensor> distances;
  const auto add = [&](const Tensor& gram) {
    distances.push_back((gram - torch::eye(gram.size(0), gram.options())).norm());
  };
  for (const Tensors* layer : layers) {
    const Tensor &a = layer->at("lora_A"), &b = layer->at("lora_B");
    add(a.mm(a.t()));
    add(b.t().mm(b));
  }
  return torch::stack(distances).mean() * settings.get<double>("orth_reg_weight");
}

}  // namespace

/// @source arXiv:2303.10512, eq. 3 and 4, as PEFT's AdaLoraModel computes them
Method adalora_method() {
  Method method;
  method.name = "adalora";
  method.peft_type = "ADALORA";
  method.help =
      "low-rank updates as singular values, kept orthogonal, whose number shrinks from r to "
      "target_r "
      "a module where they matter least (arXiv:2303.10512).";
  method.keys = unused_lora_keys() + target_keys() +
                std::vector<ConfigKey>{option("init_r", 12, "r"),
                                       option("lora_alpha", 8),
                                       option("lora_dropout", 0.0),
                                       option("bias", "none"),
                                       free_key("r", 8),
                                       option("target_r", 8),
                                       option("tinit", 0),
                                       option("tfinal", 0),
                                       option("deltaT", 1),
                                       option("beta1", 0.85),
                                       option("beta2", 0.85),
                                       option("orth_reg_weight", 0.5),
                                       free_key("total_step", 1),
                                       free_key("rank_pattern", nullptr),
                                       free_key("init_lora_weights", true),
                                       free_key("alpha_pattern", json::object()),
                                       fixed("target_parameters", nullptr),
                                       fixed("use_rslora", false),
                                       fixed("use_dora", false),
                                       fixed("lora_bias", false),
                                       fixed("trainable_token_indices", nullptr)};
  method.kinds = {SiteKind::kLinear, SiteKind::kHead};
  method.tensors = adalora_tensors;
  method.linear = adalora_linear;
  method.penalty = orthogonality;
  return method;
}

}  // namespace hone::adapters
