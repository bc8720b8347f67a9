#pragma once

#include <span>
#include <string_view>

#include "model/spec.h"

namespace hone::model {

/// Which layers see a sliding window, where the config does not list `layer_types`.
enum class Windows {
  kNone,
  kAll,        ///< every layer, where `sliding_window` is set and `use_sliding_window` not false
  kUpper,      ///< layers from `max_window_layers` on, where `use_sliding_window` is true
  kAllButNth,  ///< every layer but each n-th one, n being Family::full_every
};

/// What a family calls the parts of its layers. An empty name: it has no such part.
struct LayerNames {
  const char* attention_pre_norm = "input_layernorm";
  const char* attention_post_norm = "";
  const char* mlp_pre_norm = "post_attention_layernorm";
  const char* mlp_post_norm = "";
  const char* router = "";   ///< of a mixture of experts
  const char* experts = "";  ///< module that holds them by number
  const char* expert_gate = "gate_proj";
  const char* expert_up = "up_proj";
  const char* expert_down = "down_proj";
};

/// How llama.cpp keeps a family's models in its GGUF files.
struct GgufLayout {
  std::string_view architecture = "";  ///< `general.architecture`; empty: not in GGUF files
  /// It turns neighbouring pairs of a head where Hugging Face turns halves: the rows of queries and
  /// keys are interleaved.
  bool interleaves = false;
  /// The number of layers of the one size whose queries are scaled by hidden_size / heads.
  std::int64_t scales_by_hidden_at = 0;
  double local_theta =
      0;  ///< base of the second rope, that of layers with a window; 0: no such rope
};

/// A family of models: all that its config.json does not say. One row of a table; a layer's code
/// asks for these properties and never for a family's name.
struct Family {
  std::string_view model_type;    ///< transformers' name
  std::string_view architecture;  ///< transformers' class, without "ForCausalLM"
  GgufLayout gguf = {};
  LayerNames names = {};
  NormPlacement norms = NormPlacement::kBefore;
  QkNorm qk_norm = QkNorm::kNone;
  kernels::RmsNormStyle norm_style = {};
  kernels::Activation activation = kernels::Activation::kSilu;
  std::string_view activation_name = "silu";
  bool qkv_bias = false;          ///< whatever the config says of `attention_bias`
  bool scales_embedding = false;  ///< by √hidden_size
  bool tied_by_default = false;
  bool fuses_projections = false;  ///< qkv_proj and gate_up_proj
  Windows windows = Windows::kNone;
  int full_every = 0;
  bool skips_rope = false;  ///< layers of `no_rope_layers` do not rotate
};

/// Every family that hone knows.
std::span<const Family> families();

/// @throws DataError naming the file, the type found and those that there are
const Family& family_of_type(std::string_view model_type, const std::string& where);
/// The first of that architecture.
/// @param has_experts tells Mixtral from Llama, which llama.cpp has under one name
const Family& family_of_gguf(std::string_view architecture, bool has_experts,
                             const std::string& where);

}  // namespace hone::model
