#include "model/spec.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "base/error.h"
#include "io/gguf.h"
#include "io/json.h"

namespace hone::model {
namespace {

using nlohmann::json;

/// Typed look-ups in a config.json whose errors name the file and the key.
class ConfigReader {
 public:
  ConfigReader(const json& object, std::string where) : object_(object), where_(std::move(where)) {}

  bool has(const char* key) const { return object_.contains(key) && !object_.at(key).is_null(); }

  template <class T>
  T get(const char* key) const {
    HONE_CHECK(DataError, has(key), "{}: the key `{}` is missing", where_, key);
    return convert<T>(key);
  }

  template <class T>
  T get(const char* key, T fallback) const {
    return has(key) ? convert<T>(key) : fallback;
  }

  ConfigReader object(const char* key) const {
    HONE_CHECK(DataError, object_.at(key).is_object(), "{}: `{}` should be an object, is {}",
               where_, key, object_.at(key).type_name());
    return {object_.at(key), where_ + ": " + key};
  }

  const std::string& where() const { return where_; }

 private:
  template <class T>
  T convert(const char* key) const {
    const json& value = object_.at(key);
    bool fits = false;
    if constexpr (std::is_same_v<T, bool>) {
      fits = value.is_boolean();
    } else if constexpr (std::is_integral_v<T>) {
      fits = value.is_number_integer();
    } else if constexpr (std::is_floating_point_v<T>) {
      fits = value.is_number();
    } else {
      fits = value.is_string();
    }
    HONE_CHECK(DataError, fits, "{}: `{}` is {}, which is not of the expected type ({})", where_,
               key, value.dump(), expected<T>());
    return value.get<T>();
  }

  template <class T>
  static const char* expected() {
    if constexpr (std::is_same_v<T, bool>) return "true or false";
    if constexpr (std::is_integral_v<T>) return "a whole number";
    if constexpr (std::is_floating_point_v<T>) return "a number";
    return "text";
  }

  const json& object_;
  std::string where_;
};

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
    HONE_CHECK(DataError, size > 0 && size < (std::int64_t{1} << 31),
               "{}: `{}` is {}; expected a positive size", where, key, size);
  HONE_CHECK(DataError, spec.num_attention_heads % spec.num_key_value_heads == 0,
             "{}: num_attention_heads {} is not a multiple of num_key_value_heads {}", where,
             spec.num_attention_heads, spec.num_key_value_heads);
  HONE_CHECK(DataError, spec.head_dim % 2 == 0, "{}: head_dim {} is odd; rotary needs pairs", where,
             spec.head_dim);
  HONE_CHECK(DataError, spec.rms_norm_eps > 0 && spec.rope_theta > 0,
             "{}: rms_norm_eps {} and rope_theta {} should be positive", where, spec.rms_norm_eps,
             spec.rope_theta);
}

RopeScaling rope_scaling_from(const ConfigReader& rope) {
  RopeScaling scaling;
  scaling.type = rope.has("rope_type") ? rope.get<std::string>("rope_type")
                                       : rope.get<std::string>("type", "default");
  if (scaling.type == "default") return scaling;
  HONE_CHECK(DataError, scaling.type == "linear" || scaling.type == "llama3",
             "{}: the rope type `{}` is not supported; hone knows default, linear and llama3",
             rope.where(), scaling.type);
  scaling.factor = rope.get<double>("factor");
  if (scaling.type == "llama3") {
    scaling.low_freq_factor = rope.get<double>("low_freq_factor");
    scaling.high_freq_factor = rope.get<double>("high_freq_factor");
    scaling.original_max_position_embeddings = rope.get<double>("original_max_position_embeddings");
  }
  return scaling;
}

void read_rope(const ConfigReader& config, Spec& spec) {
  spec.rope_theta = config.get<double>("rope_theta", spec.rope_theta);
  const char* key = config.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  if (!config.has(key)) return;
  const ConfigReader rope = config.object(key);
  spec.rope_theta = rope.get<double>("rope_theta", spec.rope_theta);
  spec.rope_scaling = rope_scaling_from(rope);
}

/// A float that was stored in 32 bits, as the decimal number that its author wrote.
double as_written(double stored) {
  return std::stod(fmt::format("{}", static_cast<float>(stored)));
}

}  // namespace

Spec spec_from_config(const std::filesystem::path& config_json) {
  const json document = io::read_json(config_json);
  HONE_CHECK(DataError, document.is_object(), "{}: expected a JSON object", config_json.string());
  const ConfigReader config(document, config_json.string());

  Spec spec;
  spec.model_type = config.get<std::string>("model_type");
  HONE_CHECK(DataError, spec.model_type == "llama",
             "{}: the model_type `{}` is not supported; hone knows llama (Llama 2 and 3, SmolLM2, "
             "TinyLlama, Yi and others of that layout)",
             config_json.string(), spec.model_type);
  const auto act = config.get<std::string>("hidden_act", "silu");
  HONE_CHECK(DataError, act == "silu", "{}: the hidden_act `{}` is not supported; expected silu",
             config_json.string(), act);
  spec.vocab_size = config.get<std::int64_t>("vocab_size");
  spec.hidden_size = config.get<std::int64_t>("hidden_size");
  spec.intermediate_size = config.get<std::int64_t>("intermediate_size");
  spec.num_hidden_layers = config.get<std::int64_t>("num_hidden_layers");
  spec.num_attention_heads = config.get<std::int64_t>("num_attention_heads");
  spec.num_key_value_heads =
      config.get<std::int64_t>("num_key_value_heads", spec.num_attention_heads);
  HONE_CHECK(DataError, spec.num_attention_heads > 0, "{}: `num_attention_heads` is {}",
             config_json.string(), spec.num_attention_heads);
  spec.head_dim = config.get<std::int64_t>("head_dim", spec.hidden_size / spec.num_attention_heads);
  spec.max_position_embeddings = config.get<std::int64_t>("max_position_embeddings", 2048);
  spec.rms_norm_eps = config.get<double>("rms_norm_eps", 1e-6);
  spec.tie_word_embeddings = config.get<bool>("tie_word_embeddings", false);
  spec.attention_bias = config.get<bool>("attention_bias", false);
  spec.mlp_bias = config.get<bool>("mlp_bias", false);
  spec.dtype = config.has("dtype") ? config.get<std::string>("dtype")
                                   : config.get<std::string>("torch_dtype", "float32");
  read_rope(config, spec);
  check_consistent(spec, config_json.string());
  return spec;
}

Spec spec_from_gguf(const io::GgufFile& file) {
  const std::string where = file.path().string();
  const std::string architecture = file.get_string("general.architecture");
  HONE_CHECK(DataError, architecture == "llama",
             "{}: the architecture `{}` is not supported; hone knows llama", where, architecture);
  const auto size = [&](const char* key) {
    return static_cast<std::int64_t>(file.get_u64("llama." + std::string(key)));
  };
  Spec spec;
  spec.model_type = "llama";
  spec.hidden_size = size("embedding_length");
  spec.intermediate_size = size("feed_forward_length");
  spec.num_hidden_layers = size("block_count");
  spec.num_attention_heads = size("attention.head_count");
  HONE_CHECK(DataError, spec.num_attention_heads > 0, "{}: `llama.attention.head_count` is 0",
             where);
  spec.num_key_value_heads = file.has("llama.attention.head_count_kv")
                                 ? size("attention.head_count_kv")
                                 : spec.num_attention_heads;
  spec.head_dim = file.has("llama.attention.key_length")
                      ? size("attention.key_length")
                      : spec.hidden_size / spec.num_attention_heads;
  spec.max_position_embeddings = size("context_length");
  spec.rms_norm_eps = as_written(file.get_f64("llama.attention.layer_norm_rms_epsilon"));
  if (file.has("llama.rope.freq_base"))
    spec.rope_theta = as_written(file.get_f64("llama.rope.freq_base"));
  HONE_CHECK(
      DataError,
      !file.has("llama.rope.scaling.type") || file.get_string("llama.rope.scaling.type") == "none",
      "{}: rope scaling inside a GGUF file is not supported; use the Hugging Face folder", where);
  const auto* embedding = file.find("token_embd.weight");
  HONE_CHECK(DataError, embedding != nullptr && embedding->shape.size() == 2,
             "{}: the tensor token_embd.weight is missing or not a matrix", where);
  spec.vocab_size = embedding->shape[0];
  spec.tie_word_embeddings = file.find("output.weight") == nullptr;
  spec.attention_bias = file.find("blk.0.attn_q.bias") != nullptr;
  spec.mlp_bias = file.find("blk.0.ffn_up.bias") != nullptr;
  spec.dtype = "bfloat16";
  check_consistent(spec, where);
  return spec;
}

std::vector<double> rope_frequencies(const Spec& spec) {
  const RopeScaling& scaling = spec.rope_scaling;
  std::vector<double> frequencies(static_cast<std::size_t>(spec.head_dim / 2));
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    double& frequency = frequencies[i];
    frequency = std::pow(spec.rope_theta, -2.0 * double(i) / double(spec.head_dim));
    if (scaling.type == "linear") frequency /= scaling.factor;
    if (scaling.type == "llama3") {
      // Slow pairs are divided by the factor, fast ones kept, those between blended linearly in the
      // number of turns that they make over the original context.
      const double turns =
          scaling.original_max_position_embeddings * frequency / (2 * std::numbers::pi);
      const double blend =
          (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
      const double kept = std::clamp(blend, 0.0, 1.0);
      frequency *= kept + (1 - kept) / scaling.factor;
    }
  }
  return frequencies;
}

std::int64_t parameter_count(const Spec& s) {
  const std::int64_t q = s.num_attention_heads * s.head_dim;
  const std::int64_t kv = s.num_key_value_heads * s.head_dim;
  std::int64_t layer = 2 * s.hidden_size + s.hidden_size * (2 * q + 2 * kv) +
                       3 * s.hidden_size * s.intermediate_size;
  if (s.attention_bias) layer += q + 2 * kv + s.hidden_size;
  if (s.mlp_bias) layer += 2 * s.intermediate_size + s.hidden_size;
  const std::int64_t embeddings = s.vocab_size * s.hidden_size * (s.tie_word_embeddings ? 1 : 2);
  return s.num_hidden_layers * layer + s.hidden_size + embeddings;
}

}  // namespace hone::model
