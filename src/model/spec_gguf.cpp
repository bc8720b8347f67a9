#include <cmath>

#include "base/error.h"
#include "io/gguf.h"
#include "model/families.h"
#include "model/spec.h"

namespace hone::model {
namespace {

/// A float that was stored in 32 bits, as the decimal number that its author wrote.
double as_written(double stored) {
  return std::stod(fmt::format("{}", static_cast<float>(stored)));
}

/// Look-ups below the architecture's own prefix.
class Metadata {
 public:
  Metadata(const io::GgufFile& file, std::string_view architecture)
      : file_(file), prefix_(std::string(architecture) + ".") {}

  bool has(const char* key) const { return file_.has(prefix_ + key); }
  std::int64_t size(const char* key) const {
    const std::uint64_t stored = file_.get_u64(prefix_ + key);
    HONE_CHECK(DataError, stored < (std::uint64_t{1} << 31), "{}: `{}{}` is {}, which is no size",
               file_.path().string(), prefix_, key, stored);
    return static_cast<std::int64_t>(stored);
  }
  std::int64_t size(const char* key, std::int64_t fallback) const {
    return has(key) ? size(key) : fallback;
  }
  double number(const char* key) const { return as_written(file_.get_f64(prefix_ + key)); }
  std::string text(const char* key) const { return file_.get_string(prefix_ + key); }

 private:
  const io::GgufFile& file_;
  std::string prefix_;
};

}  // namespace

Spec spec_from_gguf(const io::GgufFile& file) {
  const std::string where = file.path().string();
  const std::string architecture = file.get_string("general.architecture");
  const Metadata metadata(file, architecture);
  Spec spec;
  spec.family = &family_of_gguf(architecture, where);
  spec.hidden_size = metadata.size("embedding_length");
  spec.intermediate_size = metadata.size("feed_forward_length");
  spec.num_hidden_layers = metadata.size("block_count");
  spec.num_attention_heads = metadata.size("attention.head_count");
  HONE_CHECK(DataError, spec.num_attention_heads > 0, "{}: `{}.attention.head_count` is 0", where,
             architecture);
  HONE_CHECK(
      DataError, !metadata.has("expert_count"),
      "{}: a mixture of experts in a GGUF file is not supported; use the Hugging Face folder",
      where);
  spec.num_key_value_heads = metadata.size("attention.head_count_kv", spec.num_attention_heads);
  spec.head_dim =
      metadata.size("attention.key_length", spec.hidden_size / spec.num_attention_heads);
  spec.max_position_embeddings = metadata.size("context_length");
  spec.rms_norm_eps = metadata.number("attention.layer_norm_rms_epsilon");
  HONE_CHECK(
      DataError, !metadata.has("rope.scaling.type") || metadata.text("rope.scaling.type") == "none",
      "{}: rope scaling inside a GGUF file is not supported; use the Hugging Face folder", where);
  const auto* embedding = file.find("token_embd.weight");
  HONE_CHECK(DataError, embedding != nullptr && embedding->shape.size() == 2,
             "{}: the tensor token_embd.weight is missing or not a matrix", where);
  spec.vocab_size = embedding->shape[0];
  spec.tie_word_embeddings = file.find("output.weight") == nullptr;
  spec.qkv_bias = file.find("blk.0.attn_q.bias") != nullptr;
  spec.o_bias = file.find("blk.0.attn_output.bias") != nullptr;
  spec.mlp_bias = file.find("blk.0.ffn_up.bias") != nullptr;
  spec.dtype = "bfloat16";
  check_consistent(spec, where);
  spec.attention_scale = 1 / std::sqrt(static_cast<double>(spec.head_dim));
  spec.layers.resize(static_cast<std::size_t>(spec.num_hidden_layers));
  Rope rope;
  rope.rotary_dim = spec.head_dim;
  if (metadata.has("rope.freq_base")) rope.theta = metadata.number("rope.freq_base");
  HONE_CHECK(DataError, rope.theta > 0, "{}: rope.freq_base {} should be positive", where,
             rope.theta);
  spec.ropes = {std::move(rope)};
  return spec;
}

}  // namespace hone::model
