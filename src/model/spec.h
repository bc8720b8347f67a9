#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace hone::io {
class GgufFile;
}

namespace hone::model {

/// How the frequencies of the rotary embedding are stretched to reach past the trained context.
struct RopeScaling {
  std::string type = "default";  ///< default, linear, llama3
  double factor = 1.0;
  double low_freq_factor = 1.0;   ///< llama3
  double high_freq_factor = 4.0;  ///< llama3
  double original_max_position_embeddings = 8192;
};

/// All that sets one decoder-only model apart from another; the names are those of transformers'
/// config.json. Sizes are counts of elements.
struct Spec {
  std::string model_type;  ///< transformers' name of the family, e.g. "llama"
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t num_hidden_layers = 0;
  std::int64_t num_attention_heads = 0;
  std::int64_t num_key_value_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t max_position_embeddings = 0;
  double rms_norm_eps = 1e-6;
  double rope_theta = 10000.0;
  RopeScaling rope_scaling;
  bool tie_word_embeddings = false;
  bool attention_bias = false;  ///< q, k, v and o have a bias
  bool mlp_bias = false;
  std::string dtype =
      "float32";  ///< what the checkpoint's author stored: float32, bfloat16, float16
};

/// Reads a Hugging Face config.json, as transformers 4 (`rope_theta`, `rope_scaling`) or
/// transformers 5 (`rope_parameters`) spells it.
/// @throws DataError naming the file and key where a value is missing, of another type, not
/// positive
///         or at odds with another, or where the model is of a family that hone does not know
Spec spec_from_config(const std::filesystem::path& config_json);

/// The same from a GGUF file's metadata (`general.architecture` and the keys below it).
/// @throws DataError as above
Spec spec_from_gguf(const io::GgufFile& file);

/// Angular frequency of each pair of dimensions, [head_dim / 2], in radians per position.
/// @source RoFormer, arXiv:2104.09864; scaling as transformers' modeling_rope_utils computes it
std::vector<double> rope_frequencies(const Spec& spec);

/// Number of weights, tied ones counted once.
std::int64_t parameter_count(const Spec& spec);

}  // namespace hone::model
