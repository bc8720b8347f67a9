#include "plan/activations.h"

#include <algorithm>

#include "kernels/linear_logprob/linear_logprob.h"
#include "model/families.h"

namespace hone::plan {
namespace {

using model::Decoder;
using model::Layer;
using model::Linear;

constexpr std::int64_t kWide = 4;  // bytes of an fp32

bool is_trained(const torch::Tensor& tensor) { return tensor.defined() && tensor.requires_grad(); }

/// Whether a layer's input is needed for the gradient of something of its own.
bool keeps_input(const Linear& linear) {
  return linear.exists() && (linear.adapter != nullptr || is_trained(linear.weight));
}

/// The same where a norm or a gate makes the input: an adapter's layer makes that again in its
/// backward pass (src/kernels/kept_input.h).
bool keeps_made_input(const Linear& linear) {
  return keeps_input(linear) && linear.adapter == nullptr;
}

/// The copy in the compute dtype that autograd keeps of a weight in another one. LoRA's product and
/// that of a packed weight make theirs anew.
std::int64_t kept_copy(const Linear& linear, torch::Dtype compute) {
  if (!linear.weight.defined() || linear.adapter != nullptr) return 0;
  if (linear.weight.scalar_type() == compute) return 0;
  return linear.weight.numel() * std::int64_t(torch::elementSize(compute));
}

std::int64_t bytes_of_gradient(const torch::Tensor& tensor) {
  return is_trained(tensor) ? static_cast<std::int64_t>(tensor.nbytes()) : 0;
}

/// Widths of a layer, in numbers a token.
struct Widths {
  std::int64_t hidden, heads, queries, keys, feed_forward;
  explicit Widths(const model::Spec& spec)
      : hidden(spec.hidden_size),
        heads(spec.num_attention_heads),
        queries(spec.num_attention_heads * spec.head_dim),
        keys(spec.num_key_value_heads * spec.head_dim),
        feed_forward(spec.intermediate_size) {}
};

/// Of one token: numbers in the compute dtype, and numbers in fp32.
struct Kept {
  std::int64_t narrow = 0, wide = 0;
};

/// A norm keeps what comes in, and one number.
void add_norm(Kept& kept, bool exists, std::int64_t width, std::int64_t rows = 1) {
  if (!exists) return;
  kept.narrow += width;
  kept.wide += rows;
}

void add_attention(Kept& kept, const Decoder& decoder, const Layer& layer, const Widths& w,
                   bool has_gradient) {
  const torch::Tensor& norm_before = layer.attention_pre_norm;
  add_norm(kept, norm_before.defined() && (has_gradient || is_trained(norm_before)), w.hidden);
  const auto keeps = norm_before.defined() ? keeps_made_input : keeps_input;
  if (keeps(layer.q_proj) || keeps(layer.k_proj) || keeps(layer.v_proj) || keeps(layer.qkv_proj))
    kept.narrow += w.hidden;
  const model::QkNorm norm = decoder.spec.family->qk_norm;
  if (norm != model::QkNorm::kNone) {
    kept.narrow += w.queries + w.keys;
    kept.wide += norm == model::QkNorm::kHead ? w.heads + decoder.spec.num_key_value_heads : 2;
  }
  kept.narrow += w.queries + 2 * w.keys;                           // rotated q and k, v
  if (layer.qkv_proj.exists()) kept.narrow += w.queries + w.keys;  // v is a part of the projection
  kept.wide += w.heads;                                            // logarithms of the denominators
  if (keeps_input(layer.o_proj)) kept.narrow += w.queries;
  add_norm(kept, layer.attention_post_norm.defined(), w.hidden);
}

void add_experts(Kept& kept, const Decoder& decoder, const Layer& layer, const Widths& w) {
  const model::MoeSpec& moe = decoder.spec.moe;
  const std::int64_t chosen = moe.num_experts_per_tok;
  kept.narrow += w.hidden;                    // what is sorted
  kept.wide += moe.num_experts + 4 * chosen;  // the router's
  const auto& expert = layer.experts.front();
  if (keeps_input(expert.gate_proj) || keeps_input(expert.up_proj))
    kept.narrow += chosen * w.hidden;
  kept.narrow += chosen * 2 * moe.intermediate_size;
  if (keeps_input(expert.down_proj)) kept.narrow += chosen * moe.intermediate_size;
  kept.narrow += 2 * chosen * w.hidden;  // results, before and after their weights
}

void add_mlp(Kept& kept, const Decoder& decoder, std::size_t index, const Widths& w) {
  const Layer& layer = decoder.layers[index];
  add_norm(kept, layer.mlp_pre_norm.defined(), w.hidden);
  if (decoder.spec.layers[index].is_moe) {
    add_experts(kept, decoder, layer, w);
  } else {
    const auto keeps = layer.mlp_pre_norm.defined() ? keeps_made_input : keeps_input;
    if (keeps(layer.gate_proj) || keeps(layer.up_proj) || keeps(layer.gate_up_proj))
      kept.narrow += w.hidden;
    kept.narrow += 2 * w.feed_forward;
    if (keeps_made_input(layer.down_proj)) kept.narrow += w.feed_forward;
  }
  add_norm(kept, layer.mlp_post_norm.defined(), w.hidden);
}

template <class Visit>
void for_linears(const Layer& layer, Visit&& visit) {
  for (const Linear* linear :
       {&layer.q_proj, &layer.k_proj, &layer.v_proj, &layer.qkv_proj, &layer.o_proj,
        &layer.gate_proj, &layer.up_proj, &layer.gate_up_proj, &layer.down_proj})
    if (linear->exists()) visit(*linear);
  for (const model::Expert& expert : layer.experts)
    for (const Linear* linear : {&expert.gate_proj, &expert.up_proj, &expert.down_proj})
      visit(*linear);
}

bool is_trained_in(const Layer& layer) {
  bool found = is_trained(layer.attention_pre_norm) || is_trained(layer.mlp_pre_norm) ||
               is_trained(layer.attention_post_norm) || is_trained(layer.mlp_post_norm) ||
               is_trained(layer.router);
  for_linears(layer, [&](const Linear& linear) { found = found || keeps_input(linear); });
  return found;
}

std::size_t layer_of(const std::string& site) {
  const std::string prefix = "model.layers.";
  return site.starts_with(prefix) ? std::stoul(site.substr(prefix.size())) : std::string::npos;
}

std::vector<std::int64_t> ranks_by_layer(const Decoder& decoder,
                                         const engine::Trainable& trainable) {
  std::vector<std::int64_t> ranks(decoder.layers.size(), 0);
  if (!trainable.adapter) return ranks;
  for (const adapters::AdaptedModule& module : trainable.adapter->modules)
    for (const auto& [name, tensor] : module.tensors)
      if (const std::size_t layer = layer_of(module.site.name);
          layer < ranks.size() && name.starts_with("lora_A") && tensor.dim() == 2)
        ranks[layer] += tensor.size(0);
  return ranks;
}

/// What each layer keeps where nothing is computed again.
std::vector<std::int64_t> kept_by_layers(const Decoder& decoder, const engine::Trainable& trainable,
                                         std::int64_t tokens) {
  const std::vector<std::int64_t> ranks = ranks_by_layer(decoder, trainable);
  std::vector<std::int64_t> kept;
  bool has_gradient = is_trained(decoder.embed_tokens) || decoder.embedding_adapter != nullptr ||
                      decoder.virtual_tokens != nullptr;
  for (std::size_t i = 0; i < decoder.layers.size(); ++i) {
    kept.push_back(kept_by_layer(decoder, i, tokens, ranks[i], has_gradient));
    has_gradient = has_gradient || is_trained_in(decoder.layers[i]);
  }
  return kept;
}

/// Of a step at the most: what the run's record calls gradients.
std::int64_t bytes_of_gradients(const engine::Trainable& trainable, bool one_at_a_time) {
  std::int64_t all = 0, largest = 0;
  for (const optim::Parameter& parameter : trainable.parameters) {
    const auto bytes = static_cast<std::int64_t>(parameter.tensor.nbytes());
    all += bytes;
    largest = std::max(largest, bytes);
  }
  return one_at_a_time ? largest : all;
}

/// Gradients of the two sides of the gate, and of what comes in and goes out.
std::int64_t backward_of_layer(const Decoder& decoder, std::int64_t tokens) {
  const Widths w(decoder.spec);
  const model::MoeSpec& moe = decoder.spec.moe;
  const std::int64_t gate =
      std::max(w.feed_forward, moe.num_experts_per_tok * moe.intermediate_size);
  return tokens * (2 * gate + 2 * w.hidden) *
         std::int64_t(torch::elementSize(decoder.compute_dtype));
}

/// What the head takes in the forward pass, and in the backward pass.
struct HeadBytes {
  std::int64_t forward = 0, backward = 0;
};

HeadBytes bytes_of_head(const Decoder& decoder, const MicroBatch& batch) {
  const auto size = std::int64_t(torch::elementSize(decoder.compute_dtype));
  const std::int64_t h = decoder.spec.hidden_size;
  // The last layer's result, which the final norm keeps, and what that makes.
  const std::int64_t states = 2 * batch.tokens * h * size;
  const std::int64_t rows = batch.head_rows * h * size;
  if (!decoder.lm_head.defined()) return {states + 2 * batch.head_rows * h * kWide, states};
  const std::int64_t row_bytes = decoder.lm_head.size(0) * size;
  const std::int64_t chunk =
      std::min(batch.head_rows,
               std::max<std::int64_t>(1, kernels::LinearLogprobOptions{}.chunk_bytes / row_bytes)) *
      row_bytes;
  const bool trains = is_trained(decoder.lm_head) || decoder.head_adapter != nullptr;
  const std::int64_t copy =
      decoder.lm_head.scalar_type() == decoder.compute_dtype && decoder.head_adapter == nullptr
          ? 0
          : decoder.lm_head.numel() * size;
  if (!trains) return {states + 2 * rows + chunk + copy, 0};
  const bool is_narrow = size < kWide;
  const std::int64_t of_weight = decoder.lm_head.numel() * (kWide + (is_narrow ? size : 0));
  return {states + rows + chunk + copy, states / 2 + 2 * rows + chunk + copy + of_weight};
}

}  // namespace

std::int64_t kept_by_layer(const Decoder& decoder, std::size_t index, std::int64_t tokens,
                           std::int64_t ranks, bool has_gradient) {
  const Layer& layer = decoder.layers[index];
  if (!has_gradient && !is_trained_in(layer)) return 0;
  const Widths w(decoder.spec);
  Kept kept;
  add_attention(kept, decoder, layer, w, has_gradient);
  add_mlp(kept, decoder, index, w);
  kept.narrow += ranks;
  std::int64_t copies = 0;
  for_linears(layer,
              [&](const Linear& linear) { copies += kept_copy(linear, decoder.compute_dtype); });
  const auto size = std::int64_t(torch::elementSize(decoder.compute_dtype));
  return tokens * (kept.narrow * size + kept.wide * kWide) + copies;
}

StepMemory step_memory(const Decoder& decoder, const engine::Trainable& trainable,
                       const MicroBatch& batch, const Computation& computation) {
  const std::vector<std::int64_t> layers = kept_by_layers(decoder, trainable, batch.tokens);
  const auto input = batch.tokens * decoder.spec.hidden_size *
                     std::int64_t(torch::elementSize(decoder.compute_dtype));
  StepMemory memory;
  std::int64_t again = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const bool recomputes = i < computation.recomputed.size() && computation.recomputed[i];
    memory.layers += recomputes ? std::min(input, layers[i]) : layers[i];
    if (recomputes) again = std::max(again, layers[i] - input);
  }
  if (computation.activation_budget > 0)
    memory.layers = std::min(memory.layers, computation.activation_budget);
  // cos and sin of every position.
  memory.layers += std::ssize(decoder.spec.ropes) * batch.tokens * decoder.spec.head_dim * kWide;

  const HeadBytes head = bytes_of_head(decoder, batch);
  memory.head = std::max(head.forward, head.backward);
  memory.gradients = bytes_of_gradients(trainable, computation.updates_in_backward);

  // The head's passes and the last layer's backward pass, when most is kept; and the end of the
  // backward pass, when all gradients are there and the embedding's is made beside them.
  const std::int64_t of_embedding = bytes_of_gradient(decoder.embed_tokens);
  const bool is_tied = decoder.lm_head.is_same(decoder.embed_tokens);
  const std::int64_t of_head = (is_tied ? of_embedding : bytes_of_gradient(decoder.lm_head)) +
                               bytes_of_gradient(decoder.score);
  const std::int64_t before = computation.keeps_gradients ? memory.gradients : 0;
  const std::int64_t work = backward_of_layer(decoder, batch.tokens) + again;
  memory.peak = std::max({memory.layers + memory.head + before,
                          memory.layers + work + std::max(before, of_head),
                          memory.gradients + (is_tied ? of_embedding : 0) + input});
  return memory;
}

}  // namespace hone::plan
