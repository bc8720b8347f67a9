#include "support/tiny_gguf.h"

#include <cmath>
#include <cstring>
#include <map>
#include <numbers>
#include <set>

#include "base/file.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "support/gguf_writer.h"

namespace hone::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Floats = std::vector<float>;

const std::map<std::string, std::string>& architectures() {
  static const std::map<std::string, std::string> names = {
      {"llama", "llama"},   {"mistral", "llama"},      {"mixtral", "llama"},
      {"qwen2", "qwen2"},   {"qwen3", "qwen3"},        {"qwen3_moe", "qwen3moe"},
      {"gemma2", "gemma2"}, {"gemma3_text", "gemma3"}, {"phi3", "phi3"},
      {"olmo2", "olmo2"},   {"granite", "granite"},    {"smollm3", "smollm3"}};
  return names;
}

/// Modules of a layer. Gemma's norms are told apart from the others' of the same name below.
const std::map<std::string, std::string>& modules() {
  static const std::map<std::string, std::string> names = {
      {"input_layernorm", "attn_norm"},
      {"post_attention_layernorm", "ffn_norm"},
      {"self_attn.q_proj", "attn_q"},
      {"self_attn.k_proj", "attn_k"},
      {"self_attn.v_proj", "attn_v"},
      {"self_attn.qkv_proj", "attn_qkv"},
      {"self_attn.o_proj", "attn_output"},
      {"self_attn.q_norm", "attn_q_norm"},
      {"self_attn.k_norm", "attn_k_norm"},
      {"pre_feedforward_layernorm", "ffn_norm"},
      {"post_feedforward_layernorm", "post_ffw_norm"},
      {"mlp.gate_proj", "ffn_gate"},
      {"mlp.up_proj", "ffn_up"},
      {"mlp.gate_up_proj", "ffn_up"},
      {"mlp.down_proj", "ffn_down"},
      {"mlp.gate", "ffn_gate_inp"},
      {"block_sparse_moe.gate", "ffn_gate_inp"}};
  return names;
}

Floats floats_of(const io::TensorView& view) {
  Floats values(view.size_bytes / sizeof(float));
  std::memcpy(values.data(), view.data, view.size_bytes);
  return values;
}

/// Row i of the first half of a head and row i of its second become neighbours.
Floats interleave(const Floats& rows, std::int64_t count, std::int64_t heads) {
  const std::int64_t half = count / heads / 2;
  const std::size_t columns = rows.size() / static_cast<std::size_t>(count);
  Floats result(rows.size());
  for (std::int64_t row = 0; row < count; ++row) {
    const std::int64_t head = row / (2 * half), within = row % (2 * half);
    const std::int64_t place = head * 2 * half + 2 * (within % half) + within / half;
    std::memcpy(&result[static_cast<std::size_t>(place) * columns],
                &rows[static_cast<std::size_t>(row) * columns], columns * sizeof(float));
  }
  return result;
}

class Converter {
 public:
  explicit Converter(const fs::path& folder)
      : config_(io::read_json(folder / "config.json")),
        type_(config_.at("model_type").get<std::string>()),
        architecture_(architectures().at(type_)),
        weights_(folder / "model.safetensors") {}

  std::string content() {
    writer_.add("general.architecture", architecture_);
    writer_.add("tokenizer.ggml.model", "no_vocab");
    add_sizes();
    add_multipliers();
    add_windows();
    add_experts();
    add_rope();
    for (const io::TensorView& view : weights_.tensors()) add_weight(view);
    for (const auto& [name, experts] : experts_) {
      std::vector<std::int64_t> shape = experts.shape;
      shape.insert(shape.begin(), number("num_local_experts"));
      writer_.add_tensor(name, shape, experts.values);
    }
    return writer_.content();
  }

 private:
  struct Experts {
    std::vector<std::int64_t> shape;
    Floats values;
  };

  bool has(const char* key) const { return config_.contains(key) && !config_[key].is_null(); }
  std::int64_t number(const char* key) const { return config_.at(key).get<std::int64_t>(); }
  std::int64_t head_dim() const {
    return has("head_dim") ? number("head_dim")
                           : number("hidden_size") / number("num_attention_heads");
  }
  bool is_gemma() const { return type_.starts_with("gemma"); }
  bool turns_neighbours() const {
    return architecture_ == "llama" || type_ == "granite" || type_ == "smollm3";
  }

  void size(const std::string& key, std::int64_t value) {
    writer_.add(architecture_ + "." + key, static_cast<std::uint32_t>(value));
  }
  void real(const std::string& key, double value) {
    writer_.add(architecture_ + "." + key, static_cast<float>(value));
  }

  void add_sizes() {
    size("vocab_size", number("vocab_size"));
    size("context_length", number("max_position_embeddings"));
    size("embedding_length", number("hidden_size"));
    size("block_count", number("num_hidden_layers"));
    size("feed_forward_length", number("intermediate_size"));
    size("attention.head_count", number("num_attention_heads"));
    size("attention.head_count_kv", number("num_key_value_heads"));
    size("attention.key_length", head_dim());
    size("attention.value_length", head_dim());
    real("attention.layer_norm_rms_epsilon", config_["rms_norm_eps"]);
  }

  void add_multipliers() {
    const std::pair<const char*, const char*> keys[] = {
        {"attn_logit_softcapping", "attn_logit_softcapping"},
        {"final_logit_softcapping", "final_logit_softcapping"},
        {"logits_scaling", "logit_scale"},
        {"residual_multiplier", "residual_scale"},
        {"embedding_multiplier", "embedding_scale"},
        {"attention_multiplier", "attention.scale"}};
    for (const auto& [key, name] : keys)
      if (has(key)) real(name, config_[key]);
  }

  void add_windows() {
    if (!has("sliding_window") || !has("layer_types")) return;
    size("attention.sliding_window", number("sliding_window"));
    std::int64_t every = 1;
    for (const json& type : config_["layer_types"]) {
      if (type == "full_attention") break;
      ++every;
    }
    size("attention.sliding_window_pattern", every);
  }

  void add_experts() {
    if (!has("num_local_experts")) return;
    size("expert_count", number("num_local_experts"));
    size("expert_used_count", number("num_experts_per_tok"));
    if (has("moe_intermediate_size"))
      size("expert_feed_forward_length", number("moe_intermediate_size"));
  }

  void add_rope() {
    const json& all = config_["rope_parameters"];
    const json& rope = all.contains("full_attention") ? all["full_attention"] : all;
    const double share = rope.value("partial_rotary_factor", 1.0);
    rotary_dim_ = std::int64_t(double(head_dim()) * share);
    size("rope.dimension_count", rotary_dim_);
    real("rope.freq_base", rope["rope_theta"]);
    if (all.contains("sliding_attention"))
      real("rope.freq_base_swa", all["sliding_attention"]["rope_theta"]);
    const std::string type = rope["rope_type"];
    if (type == "linear" || type == "yarn") {
      writer_.add(architecture_ + ".rope.scaling.type", type);
      real("rope.scaling.factor", rope["factor"]);
    }
    if (rope.contains("original_max_position_embeddings"))
      size("rope.scaling.original_context_length", rope["original_max_position_embeddings"]);
    if (type == "yarn") add_yarn(rope);
    if (type == "llama3") add_llama3(rope);
    if (type == "longrope") add_longrope(rope);
  }

  void add_yarn(const json& rope) {
    if (rope.contains("beta_fast")) real("rope.scaling.yarn_beta_fast", rope["beta_fast"]);
    if (rope.contains("beta_slow")) real("rope.scaling.yarn_beta_slow", rope["beta_slow"]);
    if (!rope.contains("mscale")) return;
    const auto scale = [&](double weight) {
      return 0.1 * weight * std::log(rope["factor"].get<double>()) + 1;
    };
    real("rope.scaling.attn_factor",
         scale(rope["mscale"]) / scale(rope["mscale_all_dim"]) / scale(1));
  }

  void add_longrope(const json& rope) {
    const auto original = rope["original_max_position_embeddings"].get<double>();
    const double factor = double(number("max_position_embeddings")) / original;
    real("rope.scaling.attn_factor", std::sqrt(1 + std::log(factor) / std::log(original)));
    writer_.add_tensor("rope_factors_short.weight", {rotary_dim_ / 2},
                       rope["short_factor"].get<Floats>());
    writer_.add_tensor("rope_factors_long.weight", {rotary_dim_ / 2},
                       rope["long_factor"].get<Floats>());
  }

  /// Waves longer than the context over `low` are divided by the factor, shorter ones than over
  /// `high` stay, and those between are mixed.
  void add_llama3(const json& rope) {
    const double factor = rope["factor"], low = rope["low_freq_factor"],
                 high = rope["high_freq_factor"], theta = rope["rope_theta"],
                 context = rope["original_max_position_embeddings"];
    Floats divisors;
    for (std::int64_t i = 0; i < rotary_dim_ / 2; ++i) {
      const double wave =
          2 * std::numbers::pi * std::pow(theta, 2.0 * double(i) / double(rotary_dim_));
      const double smooth = (context / wave - low) / (high - low);
      const double mixed = 1 / ((1 - smooth) / factor + smooth);
      divisors.push_back(float(wave < context / high ? 1 : wave > context / low ? factor : mixed));
    }
    writer_.add_tensor("rope_freqs.weight", {rotary_dim_ / 2}, divisors);
  }

  std::string layer_name(const std::string& module) const {
    if (module == "post_attention_layernorm" && (is_gemma() || type_ == "olmo2"))
      return "post_attention_norm";
    return modules().at(module);
  }

  /// model.layers.3.mlp.experts.5.up_proj.weight belongs to blk.3.ffn_up_exps.weight.
  bool add_to_experts(const std::string& prefix, const std::string& module,
                      const io::TensorView& view) {
    const std::size_t at = module.find(".experts.");
    if (at == std::string::npos) return false;
    static const std::map<std::string, std::string> parts = {{"gate_proj", "gate"}, {"w1", "gate"},
                                                             {"up_proj", "up"},     {"w3", "up"},
                                                             {"down_proj", "down"}, {"w2", "down"}};
    const std::string part = parts.at(module.substr(module.rfind('.') + 1));
    Experts& experts = experts_[prefix + "ffn_" + part + "_exps.weight"];
    experts.shape = view.shape;
    const std::size_t number = std::stoul(module.substr(at + 9));
    const Floats values = floats_of(view);
    experts.values.resize(std::max(experts.values.size(), (number + 1) * values.size()));
    std::copy(values.begin(), values.end(),
              experts.values.begin() + std::ptrdiff_t(number * values.size()));
    return true;
  }

  void add_weight(const io::TensorView& view) {
    Floats values = floats_of(view);
    if (is_gemma() && view.name.ends_with("norm.weight"))
      for (float& value : values) value += 1;
    static const std::map<std::string, std::string> outer = {
        {"model.embed_tokens.weight", "token_embd.weight"},
        {"model.norm.weight", "output_norm.weight"},
        {"lm_head.weight", "output.weight"}};
    if (const auto found = outer.find(view.name); found != outer.end()) {
      writer_.add_tensor(found->second, view.shape, values);
      return;
    }
    constexpr std::size_t kPrefix = std::string_view("model.layers.").size();
    const std::size_t end = view.name.find('.', kPrefix), dot = view.name.rfind('.');
    const std::string prefix = "blk." + view.name.substr(kPrefix, end - kPrefix) + ".";
    const std::string module = view.name.substr(end + 1, dot - end - 1);
    if (add_to_experts(prefix, module, view)) return;
    if (turns_neighbours() && (module == "self_attn.q_proj" || module == "self_attn.k_proj"))
      values = interleave(values, view.shape[0], view.shape[0] / head_dim());
    writer_.add_tensor(prefix + layer_name(module) + view.name.substr(dot), view.shape, values);
  }

  json config_;
  std::string type_, architecture_;
  io::SafetensorsFile weights_;
  GgufWriter writer_;
  std::map<std::string, Experts> experts_;
  std::int64_t rotary_dim_ = 0;
};

}  // namespace

void copy_for_gguf(const fs::path& from, const fs::path& to) {
  fs::create_directories(to);
  fs::copy_file(from / "model.safetensors", to / "model.safetensors");
  json config = io::read_json(from / "config.json");
  const std::string type = config.at("model_type");
  if (config.contains("query_pre_attn_scalar"))
    config["query_pre_attn_scalar"] = config["head_dim"];
  if (type == "smollm3") {
    config["no_rope_layer_interval"] = 4;
    config.erase("no_rope_layers");
  }
  if (!type.starts_with("gemma")) {
    config["sliding_window"] = nullptr;
    config["use_sliding_window"] = false;
    config.erase("layer_types");
  }
  write_file_atomically(to / "config.json", config.dump());
}

std::string gguf_of(const fs::path& folder) { return Converter(folder).content(); }

}  // namespace hone::test
