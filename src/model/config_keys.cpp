#include "model/config_keys.h"

#include <array>

#include "base/error.h"
#include "model/families.h"
#include "model/rope_config.h"

namespace hone::model {
namespace {

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

}  // namespace

std::span<const ConfigKey> config_keys() { return kKeys; }

nlohmann::ordered_json config_of(const Spec& spec) {
  const Family& family = *spec.family;
  // What GGUF files describe so far; others come with a config.json of their own.
  HONE_ASSERT(family.windows == Windows::kNone && spec.moe.num_experts == 0);
  const Spec plain;
  nlohmann::ordered_json config = {
      {"architectures", {std::string(family.architecture) + "ForCausalLM"}},
      {"model_type", family.model_type},
      {"hidden_act", family.activation_name},
      {"attention_bias", spec.o_bias}};
  for (const ConfigKey& key : kKeys)
    std::visit(
        [&](auto member) {
          if (key.is_required || spec.*member != plain.*member) config[key.name] = spec.*member;
        },
        key.member);
  write_rope(spec, config);
  return config;
}

}  // namespace hone::model
