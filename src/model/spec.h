#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kernels/glu/activation.h"
#include "kernels/rms_norm/style.h"
#include "model/rope.h"

namespace hone::io {
class GgufFile;
}

namespace hone::model {

struct Family;

/// What is normalised to unit length before queries meet keys.
enum class QkNorm {
  kNone,
  kHead,   ///< each head by itself
  kWhole,  ///< all heads of a token together
};

/// Where a block (attention, MLP) has its norms.
enum class NormPlacement {
  kBefore,  ///< x + f(norm(x))
  kAround,  ///< x + norm(f(norm(x)))
  kAfter,   ///< x + norm(f(x))
};

/// What one layer does unlike its neighbours.
struct LayerKind {
  std::int64_t window = 0;  ///< tokens that attention sees, itself included; 0: the whole document
  int rope = 0;             ///< place in Spec::ropes; -1: positions are not rotated
  bool is_moe = false;      ///< its MLP is a mixture of experts
};

/// A mixture of experts; num_experts 0: the model has none.
struct MoeSpec {
  std::int64_t num_experts = 0;
  std::int64_t num_experts_per_tok = 0;
  std::int64_t intermediate_size = 0;  ///< of one expert
  bool norm_topk_prob = true;          ///< the chosen experts' weights sum to 1
  double router_aux_loss_coef = 0;     ///< 0: the router's balance is not part of the loss
};

/// All that sets one decoder-only model apart from another; the names are those of transformers'
/// config.json. Sizes are counts of elements.
struct Spec {
  const Family* family = nullptr;  ///< its row in the table of families.h
  std::int64_t vocab_size = 0;
  std::int64_t added_rows = 0;  ///< the last so many of these are not in the model's own files
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t num_hidden_layers = 0;
  std::int64_t num_attention_heads = 0;
  std::int64_t num_key_value_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t max_position_embeddings = 0;
  std::int64_t num_labels = 0;  ///< outputs of the head `score`; 0: the head is a language model's
  bool scores_tokens = false;   ///< that head says something of every token, and has a bias
  double rms_norm_eps = 1e-6;

  std::vector<LayerKind> layers;    ///< one for each
  std::vector<Rope> ropes;          ///< one, or two where local and global layers differ
  bool rope_is_overridden = false;  ///< the first is not what the model's own files say
  MoeSpec moe;

  double attention_scale = 0;         ///< of the scores
  double attn_logit_softcapping = 0;  ///< 0: none, as below
  double final_logit_softcapping = 0;
  double embedding_multiplier = 1;
  double residual_multiplier = 1;  ///< of what a block adds
  double logits_scaling = 1;       ///< logits are divided by it

  bool tie_word_embeddings = false;
  bool qkv_bias = false;
  bool o_bias = false;
  bool mlp_bias = false;
  std::string dtype =
      "float32";  ///< what the checkpoint's author stored: float32, bfloat16, float16
};

/// Reads a Hugging Face config.json, as transformers 4 (`rope_theta`, `rope_scaling`) or
/// transformers 5 (`rope_parameters`) spells it.
/// @throws DataError naming the file and key where a value is missing, of another type, not
///         positive or at odds with another, or where the model is of a family that hone does not
///         know
Spec spec_from_config(const std::filesystem::path& config_json);

/// The same from a GGUF file's metadata (`general.architecture` and the keys below it).
/// @throws DataError as above
Spec spec_from_gguf(const io::GgufFile& file);

/// Tokens that a document may have: what the model was trained on, stretched by its rope.
std::int64_t context_length(const Spec& spec);

/// Refuses sizes that cannot be those of a model. @param where the file, for the message
/// @throws DataError
void check_consistent(const Spec& spec, const std::string& where);
/// The same of its experts.
void check_moe(const Spec& spec, const std::string& where);

}  // namespace hone::model
