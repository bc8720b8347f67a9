// LoRA (arXiv:2106.09685) and DoRA (arXiv:2402.09353), as PEFT's LoraConfig has them.

#include <ATen/ops/embedding.h>

#include <algorithm>
#include <cmath>

#include "adapters/dora_linear.h"
#include "adapters/experts.h"
#include "adapters/low_rank.h"
#include "adapters/methods/keys.h"

namespace hone::adapters {
namespace {

using nlohmann::json;

std::vector<TensorSpec> lora_tensors(const Site& site, const Settings& settings) {
  const std::int64_t r = rank_of(settings, site.name);
  const bool dora = settings.get("use_dora", false);
  if (site.kind == SiteKind::kEmbedding) {
    HONE_CHECK(ConfigError, !dora && !settings.get("lora_bias", false),
               "adapter: DoRA and lora_bias are not there for {}; leave it out of target_modules",
               site.name);
    return {{"lora_embedding_A", {r, site.out}, zeros()},
            {"lora_embedding_B", {site.in, r}, normal(1)}};
  }
  const bool gaussian = settings.values().value("init_lora_weights", json(true)) == "gaussian";
  const std::int64_t rows = r * std::max<std::int64_t>(site.experts, 1);
  std::vector<TensorSpec> specs = {
      {"lora_A.weight", {rows, site.in}, gaussian ? normal(1 / double(r)) : kaiming_uniform()},
      {"lora_B.weight", {site.out, rows}, zeros()}};
  if (settings.get("lora_bias", false)) specs.push_back({"lora_B.bias", {site.out}, zeros()});
  if (dora) specs.push_back({"lora_magnitude_vector", {site.out}, norms_of_rows()});
  return specs;
}

std::shared_ptr<const model::LinearAdapter> lora_linear_adapter(const Place& place) {
  const double scaling = lora_scaling(place.site, place.settings);
  const Tensor a = place.own.at("lora_A.weight"), b = place.own.at("lora_B.weight");
  const auto bias = place.own.find("lora_B.bias");
  const Factors factors{a, b, bias == place.own.end() ? Tensor() : bias->second};
  const auto magnitude = place.own.find("lora_magnitude_vector");
  if (magnitude != place.own.end())
    return dora_adapter({a, b, magnitude->second, factors.bias}, scaling, place.dropping);
  return low_rank_adapter([factors] { return factors; }, scaling, place.dropping);
}

/// Rows of E + s (BA)ᵀ.
class LoraEmbedding final : public model::EmbeddingAdapter {
 public:
  LoraEmbedding(Tensor a, Tensor b, double scaling)
      : a_(std::move(a)), b_(std::move(b)), scaling_(scaling) {}

  Tensor rows(const Tensor& ids_N, const Tensor& weight) const override {
    const Tensor rows = at::embedding(weight, ids_N);
    return rows + at::embedding(a_.t(), ids_N).mm(b_.t()) * scaling_;
  }
  Tensor merged_weight(const Tensor& weight) const override {
    return weight.to(torch::kFloat32) + b_.mm(a_).t() * scaling_;
  }

 private:
  Tensor a_;  ///< [r, V]
  Tensor b_;  ///< [H, r]
  double scaling_;
};

std::shared_ptr<const model::EmbeddingAdapter> lora_embedding(const Place& place) {
  return std::make_shared<LoraEmbedding>(place.own.at("lora_embedding_A"),
                                         place.own.at("lora_embedding_B"),
                                         lora_scaling(place.site, place.settings));
}

std::vector<ConfigKey> lora_keys() {
  return unused_lora_keys() + target_keys() +
         std::vector<ConfigKey>{option("r", 8),
                                option("lora_alpha", 8),
                                option("lora_dropout", 0.0),
                                option("use_rslora", false),
                                option("lora_bias", false),
                                option("bias", "none"),
                                option("init_lora_weights", true),
                                option("rank_pattern", json::object()),
                                option("alpha_pattern", json::object()),
                                option(kTargetParameters, nullptr),
                                option("trainable_token_indices", nullptr)};
}

Method lora_like(const char* name, const char* help, ConfigKey use_dora) {
  Method method;
  method.name = name;
  method.peft_type = "LORA";
  method.help = help;
  method.keys = lora_keys() + std::vector<ConfigKey>{std::move(use_dora)};
  method.kinds = {SiteKind::kLinear, SiteKind::kHead, SiteKind::kEmbedding, SiteKind::kExperts};
  method.tensors = lora_tensors;
  method.linear = lora_linear_adapter;
  method.embedding = lora_embedding;
  return method;
}

}  // namespace

std::vector<ConfigKey> unused_lora_keys() {
  return {fixed("fan_in_fan_out", false),
          fixed("use_qalora", false),
          fixed("use_bdlora", nullptr),
          fixed("layer_replication", nullptr),
          fixed("alora_invocation_tokens", nullptr),
          fixed("arrow_config", nullptr),
          fixed("kasa_config", nullptr),
          fixed("monteclora_config", nullptr),
          fixed("velora_config", nullptr),
          fixed("ensure_weight_tying", false),
          free_key("qalora_group_size", 16),
          free_key("corda_config", nullptr),
          free_key("eva_config", nullptr),
          free_key("loftq_config", json::object()),
          free_key("lora_ga_config", nullptr),
          free_key("megatron_config", nullptr),
          free_key("megatron_core", "megatron.core")};
}

double lora_scaling(const Site& site, const Settings& settings) {
  const double alpha = alpha_of(settings, site.name, "lora_alpha");
  const double r = double(rank_of(settings, site.name));
  return alpha / (settings.get("use_rslora", false) ? std::sqrt(r) : r);
}

Method lora_method() {
  return lora_like("lora", "low-rank updates (arXiv:2106.09685).", option("use_dora", false));
}

Method dora_method() {
  return lora_like("dora", "the same with magnitudes of their own, as lora with use_dora.",
                   fixed("use_dora", true));
}

}  // namespace hone::adapters
