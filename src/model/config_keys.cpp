#include "model/config_keys.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "model/families.h"
#include "model/rope_config.h"

namespace hone::model {
namespace {

using nlohmann::ordered_json;

constexpr std::array kKeys = {
    ConfigKey{"vocab_size", &Spec::vocab_size, true},
    ConfigKey{"hidden_size", &Spec::hidden_size, true},
    ConfigKey{"intermediate_size", &Spec::intermediate_size, true},
    ConfigKey{"num_hidden_layers", &Spec::num_hidden_layers, true},
    ConfigKey{"num_attention_heads", &Spec::num_attention_heads, true},
    ConfigKey{"num_key_value_heads", &Spec::num_key_value_heads},
    ConfigKey{"head_dim", &Spec::head_dim},
    ConfigKey{"max_position_embeddings", &Spec::max_position_embeddings},
    ConfigKey{"rms_norm_eps", &Spec::rms_norm_eps},
    ConfigKey{"tie_word_embeddings", &Spec::tie_word_embeddings},
    ConfigKey{"mlp_bias", &Spec::mlp_bias},
    ConfigKey{"attn_logit_softcapping", &Spec::attn_logit_softcapping},
    ConfigKey{"final_logit_softcapping", &Spec::final_logit_softcapping},
    ConfigKey{"embedding_multiplier", &Spec::embedding_multiplier},
    ConfigKey{"residual_multiplier", &Spec::residual_multiplier},
    ConfigKey{"logits_scaling", &Spec::logits_scaling},
};

/// Gemma's configs say what the scale is the root of, and not what embeddings are multiplied by.
void write_attention_scale(const Spec& spec, ordered_json& config) {
  const double size = 1 / (spec.attention_scale * spec.attention_scale);
  if (spec.family->scales_embedding) {
    config["query_pre_attn_scalar"] = std::round(size * 1e4) / 1e4;
    config.erase("embedding_multiplier");
  } else if (std::abs(size - static_cast<double>(spec.head_dim)) > 1e-4) {
    config["attention_multiplier"] = spec.attention_scale;
  }
}

/// Nulls are written where transformers has a default that is none.
void write_layers(const Spec& spec, ordered_json& config) {
  const Family& family = *spec.family;
  std::int64_t window = 0;
  std::vector<std::string> types;
  std::vector<int> rotates;
  for (const LayerKind& layer : spec.layers) {
    window = std::max(window, layer.window);
    types.push_back(layer.window > 0 ? "sliding_attention" : "full_attention");
    rotates.push_back(layer.rope >= 0 ? 1 : 0);
  }
  if (family.windows != Windows::kNone)
    config["sliding_window"] = window > 0 ? ordered_json(window) : ordered_json(nullptr);
  if (family.windows == Windows::kUpper) config["use_sliding_window"] = window > 0;
  if (family.windows == Windows::kAllButNth) config["layer_types"] = types;
  if (family.skips_rope) config["no_rope_layers"] = rotates;
}

/// Under both names that transformers' classes have for their number.
void write_moe(const Spec& spec, ordered_json& config) {
  if (spec.moe.num_experts == 0) return;
  config["num_local_experts"] = config["num_experts"] = spec.moe.num_experts;
  config["num_experts_per_tok"] = spec.moe.num_experts_per_tok;
  config["moe_intermediate_size"] = spec.moe.intermediate_size;
  config["norm_topk_prob"] = spec.moe.norm_topk_prob;
}

}  // namespace

std::span<const ConfigKey> config_keys() { return kKeys; }

nlohmann::ordered_json config_of(const Spec& spec) {
  const Family& family = *spec.family;
  const Spec plain;
  ordered_json config = {
      {"architectures", {std::string(family.architecture) + "ForCausalLM"}},
      {"model_type", family.model_type},
      {family.scales_embedding ? "hidden_activation" : "hidden_act", family.activation_name},
      {"attention_bias", spec.o_bias}};
  for (const ConfigKey& key : kKeys)
    std::visit(
        [&](auto member) {
          if (key.is_required || spec.*member != plain.*member) config[key.name] = spec.*member;
        },
        key.member);
  config["tie_word_embeddings"] = spec.tie_word_embeddings;
  write_attention_scale(spec, config);
  write_layers(spec, config);
  write_moe(spec, config);
  write_rope(spec, config);
  return config;
}

}  // namespace hone::model
