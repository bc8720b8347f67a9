#include "model/spec.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "io/json.h"
#include "model/config_keys.h"
#include "model/config_reader.h"
#include "model/families.h"
#include "model/rope_config.h"

namespace hone::model {
namespace {

/// Some ten times those of the largest models there are. A table of them is made before the weights
/// are looked for, so that a lie is refused before it costs memory.
constexpr std::int64_t kTooLarge = std::int64_t{1} << 31;  // for any size
constexpr std::int64_t kMostLayers = 2'000;
constexpr std::int64_t kMostExperts = 200'000;

void read_keys(const ConfigReader& config, Spec& spec) {
  for (const ConfigKey& key : config_keys()) {
    if (!config.has(key.name)) {
      HONE_CHECK(DataError, !key.is_required, "{}: the key `{}` is missing", config.where(),
                 key.name);
      continue;
    }
    std::visit([&]<class T>(T Spec::*member) { spec.*member = config.get<T>(key.name); },
               key.member);
  }
}

void read_attention(const ConfigReader& config, Spec& spec) {
  HONE_CHECK(DataError, spec.num_attention_heads > 0, "{}: `num_attention_heads` is {}",
             config.where(), spec.num_attention_heads);
  if (spec.num_key_value_heads == 0) spec.num_key_value_heads = spec.num_attention_heads;
  if (spec.head_dim == 0) spec.head_dim = spec.hidden_size / spec.num_attention_heads;
  const bool bias = config.get<bool>("attention_bias", false);
  spec.qkv_bias = bias || spec.family->qkv_bias;
  spec.o_bias = bias;
  // Gemma's queries are scaled by another size than their own, Granite's by a number of its own.
  const double of_size = 1 / std::sqrt(config.get<double>("query_pre_attn_scalar",
                                                          static_cast<double>(spec.head_dim)));
  spec.attention_scale = config.get<double>("attention_multiplier", of_size);
  HONE_CHECK(DataError, std::isfinite(spec.attention_scale) && spec.attention_scale > 0,
             "{}: the scale of attention is {}", config.where(), spec.attention_scale);
}

/// Whether layer i sees a window, where the config does not list the layers' types.
bool slides_by_default(const ConfigReader& config, const Family& family, std::int64_t i) {
  switch (family.windows) {
    case Windows::kNone:
      return false;
    case Windows::kAll:
      return config.get<bool>("use_sliding_window", true);
    case Windows::kUpper:
      return config.get<bool>("use_sliding_window", false) &&
             i >= config.get<std::int64_t>("max_window_layers", 28);
    case Windows::kAllButNth: {
      const auto every = config.get<std::int64_t>("sliding_window_pattern", family.full_every);
      HONE_CHECK(DataError, every > 0, "{}: sliding_window_pattern is {}", config.where(), every);
      return (i + 1) % every != 0;
    }
  }
  return false;
}

void read_layers(const ConfigReader& config, Spec& spec) {
  const auto count = static_cast<std::size_t>(spec.num_hidden_layers);
  const std::int64_t window = config.get<std::int64_t>("sliding_window", 0);
  std::vector<std::string> types;
  if (config.has("layer_types")) types = config.list<std::string>("layer_types", count);
  for (std::size_t i = 0; i < count; ++i) {
    LayerKind& layer = spec.layers.emplace_back();
    const bool slides = types.empty()
                            ? slides_by_default(config, *spec.family, static_cast<std::int64_t>(i))
                            : types[i] == "sliding_attention";
    HONE_CHECK(DataError, types.empty() || slides || types[i] == "full_attention",
               "{}: layer_types[{}] is `{}`; hone knows full_attention and sliding_attention",
               config.where(), i, types[i]);
    if (slides) layer.window = window;
    HONE_CHECK(DataError, layer.window >= 0, "{}: sliding_window is {}", config.where(), window);
  }
}

/// Layers without positions. An entry of 1 means that the layer does rotate.
void skip_ropes(const ConfigReader& config, Spec& spec) {
  if (!spec.family->skips_rope) return;
  const std::int64_t interval = config.get<std::int64_t>("no_rope_layer_interval", 4);
  HONE_CHECK(DataError, interval > 0, "{}: no_rope_layer_interval is {}", config.where(), interval);
  std::vector<std::int64_t> rotates;
  if (config.has("no_rope_layers"))
    rotates = config.list<std::int64_t>("no_rope_layers", spec.layers.size());
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    const bool on =
        rotates.empty() ? (static_cast<std::int64_t>(i) + 1) % interval != 0 : rotates[i] != 0;
    if (!on) spec.layers[i].rope = -1;
  }
}

void read_moe(const ConfigReader& config, Spec& spec) {
  if (*spec.family->names.experts == '\0') return;
  MoeSpec& moe = spec.moe;
  moe.num_experts = config.has("num_local_experts") ? config.get<std::int64_t>("num_local_experts")
                                                    : config.get<std::int64_t>("num_experts");
  moe.num_experts_per_tok = config.get<std::int64_t>("num_experts_per_tok");
  moe.intermediate_size = config.get<std::int64_t>("moe_intermediate_size", spec.intermediate_size);
  moe.norm_topk_prob = config.get<bool>("norm_topk_prob", spec.family->model_type == "mixtral");
  if (config.get<bool>("output_router_logits", false))
    moe.router_aux_loss_coef = config.get<double>("router_aux_loss_coef", 0.001);
  check_moe(spec, config.where());
  const std::int64_t step = config.get<std::int64_t>("decoder_sparse_step", 1);
  HONE_CHECK(DataError, step > 0, "{}: decoder_sparse_step is {}", config.where(), step);
  for (std::size_t i = 0; i < spec.layers.size(); ++i)
    spec.layers[i].is_moe = (static_cast<std::int64_t>(i) + 1) % step == 0;
  if (!config.has("mlp_only_layers")) return;
  for (const nlohmann::json& dense : config.json().at("mlp_only_layers")) {
    HONE_CHECK(DataError,
               dense.is_number_unsigned() && dense.get<std::size_t>() < spec.layers.size(),
               "{}: mlp_only_layers holds {}, which is no layer", config.where(), dense.dump());
    spec.layers[dense.get<std::size_t>()].is_moe = false;
  }
}

/// A classifier's folder says so by its class; its outputs are counted by their names.
void read_head(const ConfigReader& config, Spec& spec) {
  if (!config.has("architectures") || !config.json().at("architectures").is_array()) return;
  const nlohmann::json& classes = config.json().at("architectures");
  const auto is_a = [&](std::string_view kind) {
    return std::any_of(classes.begin(), classes.end(), [&](const nlohmann::json& name) {
      return name.is_string() && name.get_ref<const std::string&>().ends_with(kind);
    });
  };
  spec.scores_tokens = is_a("ForTokenClassification");
  if (!spec.scores_tokens && !is_a("ForSequenceClassification")) return;
  spec.num_labels = config.has("id2label")
                        ? static_cast<std::int64_t>(config.object("id2label").json().size())
                        : config.get<std::int64_t>("num_labels", 2);
  HONE_CHECK(DataError, spec.num_labels > 0 && spec.num_labels < kTooLarge,
             "{}: a classifier with {} labels", config.where(), spec.num_labels);
}

void check_activation(const ConfigReader& config, const Family& family) {
  const char* key = config.has("hidden_activation") ? "hidden_activation" : "hidden_act";
  const auto name = config.get<std::string>(key, std::string(family.activation_name));
  HONE_CHECK(DataError, name == family.activation_name,
             "{}: the {} `{}` is not supported for {}; expected {}", config.where(), key, name,
             family.model_type, family.activation_name);
}

}  // namespace

void check_consistent(const Spec& spec, const std::string& where) {
  const std::pair<const char*, std::int64_t> sizes[] = {
      {"vocab_size", spec.vocab_size},
      {"hidden_size", spec.hidden_size},
      {"intermediate_size", spec.intermediate_size},
      {"num_hidden_layers", spec.num_hidden_layers},
      {"num_attention_heads", spec.num_attention_heads},
      {"num_key_value_heads", spec.num_key_value_heads},
      {"head_dim", spec.head_dim},
      {"max_position_embeddings", spec.max_position_embeddings}};
  for (const auto& [key, size] : sizes)
    HONE_CHECK(DataError, size > 0 && size < kTooLarge, "{}: `{}` is {}; expected a positive size",
               where, key, size);
  HONE_CHECK(DataError, spec.num_hidden_layers <= kMostLayers,
             "{}: `num_hidden_layers` is {}; expected at most {}", where, spec.num_hidden_layers,
             kMostLayers);
  HONE_CHECK(DataError, spec.num_attention_heads * spec.head_dim < kTooLarge,
             "{}: {} heads of {} elements are no layer's", where, spec.num_attention_heads,
             spec.head_dim);
  HONE_CHECK(DataError, spec.num_attention_heads % spec.num_key_value_heads == 0,
             "{}: num_attention_heads {} is not a multiple of num_key_value_heads {}", where,
             spec.num_attention_heads, spec.num_key_value_heads);
  HONE_CHECK(DataError, spec.head_dim % 2 == 0, "{}: head_dim {} is odd; rotary needs pairs", where,
             spec.head_dim);
  HONE_CHECK(DataError, spec.rms_norm_eps > 0, "{}: rms_norm_eps {} should be positive", where,
             spec.rms_norm_eps);
  HONE_CHECK(DataError, spec.attn_logit_softcapping >= 0 && spec.final_logit_softcapping >= 0,
             "{}: the soft caps {} and {} should not be negative", where,
             spec.attn_logit_softcapping, spec.final_logit_softcapping);
  HONE_CHECK(DataError, spec.logits_scaling != 0, "{}: logits_scaling is 0", where);
}

void check_moe(const Spec& spec, const std::string& where) {
  const MoeSpec& moe = spec.moe;
  HONE_CHECK(DataError,
             moe.num_experts > 0 && moe.num_experts_per_tok > 0 &&
                 moe.num_experts_per_tok <= moe.num_experts && moe.intermediate_size > 0,
             "{}: {} experts of size {}, {} for each token; expected at least one of each, and no "
             "more than there are",
             where, moe.num_experts, moe.intermediate_size, moe.num_experts_per_tok);
  HONE_CHECK(DataError, moe.num_experts <= kMostExperts / spec.num_hidden_layers,
             "{}: {} experts in each of {} layers; expected at most {} together", where,
             moe.num_experts, spec.num_hidden_layers, kMostExperts);
}

std::int64_t context_length(const Spec& spec) {
  const RopeScaling& scaling = spec.ropes.front().scaling;
  const auto stretched =
      static_cast<std::int64_t>(scaling.original_max_position_embeddings * scaling.factor);
  return std::max(spec.max_position_embeddings, stretched);
}

Spec spec_from_config(const std::filesystem::path& config_json) {
  const nlohmann::json document = io::read_json(config_json);
  HONE_CHECK(DataError, document.is_object(), "{}: expected a JSON object", config_json.string());
  const ConfigReader config(document, config_json.string());

  Spec spec;
  spec.family = &family_of_type(config.get<std::string>("model_type"), config.where());
  spec.max_position_embeddings = 2048;
  spec.tie_word_embeddings = spec.family->tied_by_default;
  check_activation(config, *spec.family);
  read_keys(config, spec);
  read_attention(config, spec);
  check_consistent(spec, config.where());
  read_layers(config, spec);
  read_ropes(config, spec);
  skip_ropes(config, spec);
  read_moe(config, spec);
  read_head(config, spec);
  if (spec.family->scales_embedding)
    spec.embedding_multiplier = std::sqrt(static_cast<double>(spec.hidden_size));
  spec.dtype = config.has("dtype") ? config.get<std::string>("dtype")
                                   : config.get<std::string>("torch_dtype", "float32");
  return spec;
}

}  // namespace hone::model
