#include <cmath>

#include "base/error.h"
#include "io/gguf.h"
#include "model/families.h"
#include "model/gguf_metadata.h"
#include "model/rope_gguf.h"
#include "model/spec.h"

namespace hone::model {
namespace {

std::int64_t head_count(const GgufMetadata& metadata) {
  const std::int64_t heads = metadata.size("attention.head_count");
  HONE_CHECK(DataError, heads > 0, "{}: `{}attention.head_count` is 0", metadata.where(),
             metadata.prefix());
  return heads;
}

void read_sizes(const GgufMetadata& metadata, Spec& spec) {
  spec.hidden_size = metadata.size("embedding_length");
  spec.num_hidden_layers = metadata.size("block_count");
  spec.num_attention_heads = head_count(metadata);
  spec.num_key_value_heads = metadata.size("attention.head_count_kv", spec.num_attention_heads);
  spec.head_dim =
      metadata.size("attention.key_length", spec.hidden_size / spec.num_attention_heads);
  const std::int64_t expert_size = metadata.size("expert_feed_forward_length", 0);
  spec.intermediate_size = expert_size > 0 ? metadata.size("feed_forward_length", expert_size)
                                           : metadata.size("feed_forward_length");
  spec.max_position_embeddings = metadata.size("context_length");
  spec.rms_norm_eps = metadata.number("attention.layer_norm_rms_epsilon");
  const auto* embedding = metadata.file().find("token_embd.weight");
  HONE_CHECK(DataError, embedding != nullptr && embedding->shape.size() == 2,
             "{}: the tensor token_embd.weight is missing or not a matrix", metadata.where());
  spec.vocab_size = embedding->shape[0];
}

/// What a file says by having a tensor or not.
void read_presence(const io::GgufFile& file, Spec& spec) {
  const auto has = [&](const char* name) { return file.find(name) != nullptr; };
  spec.tie_word_embeddings = !has("output.weight");
  spec.qkv_bias = has("blk.0.attn_q.bias") || has("blk.0.attn_qkv.bias");
  spec.o_bias = has("blk.0.attn_output.bias");
  spec.mlp_bias = has("blk.0.ffn_up.bias");
}

void read_multipliers(const GgufMetadata& metadata, Spec& spec) {
  const GgufLayout& layout = spec.family->gguf;
  const std::int64_t scaled_by = spec.num_hidden_layers == layout.scales_by_hidden_at
                                     ? spec.hidden_size / spec.num_attention_heads
                                     : spec.head_dim;
  spec.attention_scale =
      metadata.number("attention.scale", 1 / std::sqrt(static_cast<double>(scaled_by)));
  HONE_CHECK(DataError, spec.attention_scale > 0, "{}: the scale of attention is {}",
             metadata.where(), spec.attention_scale);
  spec.attn_logit_softcapping = metadata.number("attn_logit_softcapping", 0);
  spec.final_logit_softcapping = metadata.number("final_logit_softcapping", 0);
  spec.logits_scaling = metadata.number("logit_scale", 1);
  spec.residual_multiplier = metadata.number("residual_scale", 1);
  spec.embedding_multiplier = metadata.number("embedding_scale", 1);
  if (spec.family->scales_embedding)
    spec.embedding_multiplier = std::sqrt(static_cast<double>(spec.hidden_size));
}

void read_moe(const GgufMetadata& metadata, Spec& spec) {
  if (!metadata.has("expert_count")) return;
  spec.moe.num_experts = metadata.size("expert_count");
  spec.moe.num_experts_per_tok = metadata.size("expert_used_count");
  spec.moe.intermediate_size = metadata.size("expert_feed_forward_length", spec.intermediate_size);
  check_moe(spec, metadata.where());
  for (LayerKind& layer : spec.layers) layer.is_moe = true;
}

/// Which layers see a window: all, or all but each n-th, or those that a list of flags names.
void read_windows(const GgufMetadata& metadata, Spec& spec) {
  const Windows windows = spec.family->windows;
  if (windows != Windows::kAll && windows != Windows::kAllButNth) return;
  const std::int64_t window = metadata.size("attention.sliding_window", 0);
  const std::vector<std::int64_t> flags = metadata.flags("attention.sliding_window_pattern");
  HONE_CHECK(DataError, flags.empty() || flags.size() >= spec.layers.size(),
             "{}: attention.sliding_window_pattern has {} entries for {} layers", metadata.where(),
             flags.size(), spec.layers.size());
  const std::int64_t every =
      flags.empty() ? metadata.size("attention.sliding_window_pattern", spec.family->full_every)
                    : 0;
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    const bool is_full = every > 0 && (static_cast<std::int64_t>(i) + 1) % every == 0;
    const bool slides = flags.empty() ? !is_full : flags[i] != 0;
    if (slides) spec.layers[i].window = window;
  }
}

}  // namespace

Spec spec_from_gguf(const io::GgufFile& file) {
  const std::string architecture = file.get_string("general.architecture");
  const GgufMetadata metadata(file, architecture);
  Spec spec;
  spec.family = &family_of_gguf(architecture, metadata.has("expert_count"), file.path().string());
  read_sizes(metadata, spec);
  read_presence(file, spec);
  read_multipliers(metadata, spec);
  check_consistent(spec, metadata.where());
  spec.layers.resize(static_cast<std::size_t>(spec.num_hidden_layers));
  read_windows(metadata, spec);
  read_moe(metadata, spec);
  read_ropes(metadata, spec);
  spec.dtype = "bfloat16";
  return spec;
}

}  // namespace hone::model
