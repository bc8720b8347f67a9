#include "model/decoder.h"

#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>

#include <cmath>

#include "base/error.h"
#include "base/interrupt.h"
#include "kernels/attention/attention.h"
#include "kernels/glu/glu.h"
#include "kernels/packed/packed.h"
#include "kernels/rms_norm/rms_norm.h"
#include "kernels/rope/rope.h"
#include "model/document_lengths.h"
#include "model/families.h"
#include "model/frozen_linear.h"
#include "model/moe.h"
#include "model/residency.h"
#include "model/virtual_tokens.h"

namespace hone::model {
namespace {

Tensor cast(const Tensor& weight, torch::Dtype dtype) {
  return weight.defined() ? weight.to(dtype) : weight;
}

void check_stream(const TokenStream& tokens) {
  const std::int64_t count = tokens.ids_N.size(0);
  HONE_CHECK(
      ShapeError, tokens.ids_N.dim() == 1 && tokens.positions_N.sizes() == tokens.ids_N.sizes(),
      "ids are {} and positions {} long; both should be [N]", count, tokens.positions_N.numel());
  HONE_CHECK(ShapeError,
             tokens.cu_seqlens.size() >= 2 && tokens.cu_seqlens.front() == 0 &&
                 tokens.cu_seqlens.back() == count,
             "the document borders should run from 0 to {}", count);
}

/// Frequencies of every token [N or 1, rotary_dim / 2] f64.
Tensor frequencies_of(const Rope& rope, const std::vector<std::int64_t>& cu_seqlens,
                      const std::vector<std::int64_t>& document_lengths) {
  if (!depends_on_length(rope))
    return torch::tensor(rope_frequencies(rope, 0), torch::kFloat64).unsqueeze(0);
  std::vector<Tensor> rows;
  for (std::size_t d = 0; d < document_lengths.size(); ++d)
    rows.push_back(torch::tensor(rope_frequencies(rope, document_lengths[d]), torch::kFloat64)
                       .unsqueeze(0)
                       .expand({cu_seqlens[d + 1] - cu_seqlens[d], rope.rotary_dim / 2}));
  return torch::cat(rows);
}

/// Queries or keys, normalised where the family does that. @param x_NO a projection, [N, heads · D]
Tensor heads_of(const Decoder& decoder, const Tensor& x_NO, const Tensor& norm) {
  const std::int64_t n = x_NO.size(0), d = decoder.spec.head_dim;
  if (decoder.spec.family->qk_norm == QkNorm::kWhole)
    return apply_norm(decoder, norm, x_NO).view({n, -1, d});
  if (decoder.spec.family->qk_norm == QkNorm::kHead)
    return apply_norm(decoder, norm, x_NO.reshape({-1, d})).view({n, -1, d});
  return x_NO.unflatten(1, {-1, d});
}

struct Projections {
  Tensor q, k, v;  // [N, heads · D]
};
Projections project(const Decoder& decoder, const Layer& layer, const Tensor& a) {
  if (!layer.qkv_proj.exists()) return {layer.q_proj(a), layer.k_proj(a), layer.v_proj(a)};
  const std::int64_t kv = decoder.spec.num_key_value_heads * decoder.spec.head_dim;
  const std::int64_t q = decoder.spec.num_attention_heads * decoder.spec.head_dim;
  const std::vector<Tensor> parts = layer.qkv_proj(a).split_with_sizes({q, kv, kv}, 1);
  return {parts[0], parts[1], parts[2]};
}

Tensor attention_block(const Decoder& decoder, std::size_t index, const Tensor& a,
                       const std::vector<RotaryTable>& ropes, const Attend& attend) {
  const Spec& spec = decoder.spec;
  const Layer& layer = decoder.layers[index];
  const LayerKind& kind = spec.layers[index];
  const Projections projected = project(decoder, layer, a);
  Tensor q = heads_of(decoder, projected.q, layer.q_norm);
  Tensor k = heads_of(decoder, projected.k, layer.k_norm);
  if (kind.rope >= 0) {
    const RotaryTable& table = ropes[static_cast<std::size_t>(kind.rope)];
    q = kernels::rope(q, table.cos, table.sin);
    k = kernels::rope(k, table.cos, table.sin);
  }
  const Tensor attended = attend(q, k, projected.v.unflatten(1, {-1, spec.head_dim}),
                                 {.scale = spec.attention_scale,
                                  .window = kind.window,
                                  .softcap = spec.attn_logit_softcapping});
  return layer.o_proj(attended.reshape({a.size(0), -1}));
}

Tensor mlp_block(const Decoder& decoder, std::size_t index, const Tensor& m, ForwardTrace* trace) {
  const Layer& layer = decoder.layers[index];
  if (decoder.spec.layers[index].is_moe) return mixture_of_experts(decoder, layer, m, trace);
  const kernels::Activation activation = decoder.spec.family->activation;
  if (!layer.gate_up_proj.exists())
    return layer.down_proj(kernels::glu(layer.gate_proj(m), layer.up_proj(m), activation));
  const std::vector<Tensor> halves = layer.gate_up_proj(m).chunk(2, 1);
  return layer.down_proj(kernels::glu(halves[0], halves[1], activation));
}

/// x plus what a block makes of it.
Tensor with_residual(const Decoder& decoder, const Tensor& x, const Tensor& added) {
  const double multiplier = decoder.spec.residual_multiplier;
  return multiplier == 1 ? x + added : x + added * multiplier;
}

}  // namespace

std::int64_t Linear::out_features() const { return packed ? packed->rows : weight.size(0); }

std::int64_t Linear::in_features() const { return packed ? packed->columns : weight.size(1); }

Tensor Linear::base_forward(const Tensor& x_NI) const {
  if (packed) return packed_linear(x_NI, *this);
  return at::linear(x_NI, dense_weight(*this, x_NI.scalar_type()), cast(bias, x_NI.scalar_type()));
}

Tensor Linear::operator()(const Tensor& x_NI) const {
  return adapter ? adapter->forward(x_NI, *this) : base_forward(x_NI);
}

Tensor dense_weight(const Linear& linear, torch::Dtype dtype) {
  return linear.packed ? kernels::dequantize(*linear.packed, dtype) : linear.weight.to(dtype);
}

Tensor LinearAdapter::merged_bias(const Linear& base) const { return base.bias; }

Linear Decoder::head() const {
  Linear head;
  head.name = "lm_head";
  head.weight = lm_head;
  head.adapter = head_adapter;
  return head;
}

Tensor Decoder::head_weight() const {
  return (head_adapter ? head_adapter->merged_weight(head()) : lm_head).to(compute_dtype);
}

Tensor embed(const Decoder& decoder, const Tensor& ids_N) {
  if (ids_N.numel() > 0) {
    const auto [low, high] = ids_N.aminmax();
    const auto lowest = low.item<std::int64_t>(), highest = high.item<std::int64_t>();
    HONE_CHECK(DataError, lowest >= 0 && highest < decoder.spec.vocab_size,
               "the token id {} is outside the model's vocabulary of {}; the data was made with "
               "another tokenizer",
               lowest < 0 ? lowest : highest, decoder.spec.vocab_size);
  }
  if (decoder.residency) decoder.residency->enter_embedding();
  const Tensor rows =
      (decoder.embedding_adapter ? decoder.embedding_adapter->rows(ids_N, decoder.embed_tokens)
                                 : at::embedding(decoder.embed_tokens, ids_N))
          .to(decoder.compute_dtype);
  if (decoder.residency) decoder.residency->leave_embedding();
  const double multiplier = decoder.spec.embedding_multiplier;
  if (multiplier == 1) return rows;
  // The multiplier is rounded to the rows' dtype first, as Gemma's own code does.
  return rows * torch::tensor(multiplier, rows.options());
}

Tensor embed(const Decoder& decoder, const TokenStream& tokens) {
  const Tensor rows = embed(decoder, tokens.ids_N);
  return decoder.embedding_noise ? rows + decoder.embedding_noise(rows, tokens.cu_seqlens) : rows;
}

std::vector<RotaryTable> rotary_tables(const Spec& spec, const Tensor& positions_N,
                                       const std::vector<std::int64_t>& cu_seqlens,
                                       const std::vector<std::int64_t>& document_lengths) {
  std::vector<RotaryTable> tables;
  // Angles in fp64: at position 100,000 an fp32 product is already off by 1e-3 of a turn.
  const Tensor positions = positions_N.to(torch::kFloat64).unsqueeze(1);
  for (const Rope& rope : spec.ropes) {
    const Tensor frequencies =
        frequencies_of(rope, cu_seqlens, document_lengths).to(positions.device());
    const Tensor angles = positions * frequencies;
    const double factor = rope.scaling.attention_factor;
    tables.push_back(
        {(angles.cos() * factor).to(torch::kFloat32), (angles.sin() * factor).to(torch::kFloat32)});
  }
  return tables;
}

Tensor apply_norm(const Decoder& decoder, const Tensor& weight, const Tensor& x) {
  if (!weight.defined()) return x;
  return kernels::rms_norm(x, cast(weight, x.scalar_type()), decoder.spec.rms_norm_eps,
                           decoder.spec.family->norm_style);
}

Tensor final_norm(const Decoder& decoder, const Tensor& x) {
  if (decoder.residency) decoder.residency->enter_end();
  return apply_norm(decoder, decoder.norm, x);
}

Tensor layer_forward(const Decoder& decoder, std::size_t index, const Tensor& x_NH,
                     const std::vector<RotaryTable>& ropes, const Attend& attend,
                     ForwardTrace* trace) {
  leave_if_interrupted();
  const Layer& layer = decoder.layers[index];
  const Tensor a = apply_norm(decoder, layer.attention_pre_norm, x_NH);
  const Tensor attended = attention_block(decoder, index, a, ropes, attend);
  const Tensor x =
      with_residual(decoder, x_NH, apply_norm(decoder, layer.attention_post_norm, attended));
  const Tensor m = apply_norm(decoder, layer.mlp_pre_norm, x);
  const Tensor mixed = mlp_block(decoder, index, m, trace);
  return with_residual(decoder, x, apply_norm(decoder, layer.mlp_post_norm, mixed));
}

Tensor resident_layer(const Decoder& decoder, std::size_t index, const Piece& layer,
                      const Tensor& x_NH) {
  const std::shared_ptr<const Residency>& residency = decoder.residency;
  if (residency) residency->enter_layer(index);
  const Tensor x = layer(x_NH);
  if (residency) residency->leave_layer(index);
  if (x.requires_grad())
    x.register_hook([residency, index](const Tensor&) {
      leave_if_interrupted();
      if (residency) residency->turn_to_layer(index);
    });
  return x;
}

Tensor run_layers(const Decoder& decoder, const Tensor& x_NH, std::vector<RotaryTable> ropes,
                  const std::function<Attend(std::size_t layer)>& attend_of, ForwardTrace* trace) {
  const auto shared_ropes = std::make_shared<const std::vector<RotaryTable>>(std::move(ropes));
  const Recomputation* recomputation = trace == nullptr ? decoder.recomputation.get() : nullptr;
  Tensor x = x_NH;
  for (std::size_t i = 0; i < decoder.layers.size(); ++i) {
    const Attend attend = attend_of(i);
    const Piece layer = [&decoder, i, shared_ropes, attend, trace](const Tensor& in) {
      return layer_forward(decoder, i, in, *shared_ropes, attend, trace);
    };
    const bool again = recomputation != nullptr && recomputation->layers[i];
    const bool watched = recomputation != nullptr && recomputation->watch;
    if (watched) recomputation->watch(i, /*is_done=*/false);
    x = resident_layer(
        decoder, i,
        [&](const Tensor& in) {
          return again ? recomputed(layer, in, recomputation->note_state) : layer(in);
        },
        x);
    if (watched) recomputation->watch(i, /*is_done=*/true);
  }
  return x;
}

Tensor hidden_states(const Decoder& decoder, const TokenStream& tokens, ForwardTrace* trace) {
  check_stream(tokens);
  if (decoder.virtual_tokens) return hidden_states_after_virtual(decoder, tokens, trace);
  const Attend attend = [borders = tokens.cu_seqlens, prefix_of = tokens.prefix_of](
                            const Tensor& q, const Tensor& k, const Tensor& v,
                            const kernels::AttentionOptions& options) {
    return kernels::attention(q, k, v, borders, options, prefix_of);
  };
  const Tensor x = run_layers(
      decoder, embed(decoder, tokens),
      rotary_tables(decoder.spec, tokens.positions_N, tokens.cu_seqlens,
                    document_lengths(decoder.spec, tokens.cu_seqlens, tokens.prefix_of)),
      [&](std::size_t) { return attend; }, trace);
  return final_norm(decoder, x);
}

void for_each_linear(Decoder& decoder, const std::function<void(Linear&)>& visit) {
  for (Layer& layer : decoder.layers) {
    for (Linear* linear :
         {&layer.q_proj, &layer.k_proj, &layer.v_proj, &layer.qkv_proj, &layer.o_proj,
          &layer.gate_proj, &layer.up_proj, &layer.gate_up_proj, &layer.down_proj})
      if (linear->exists()) visit(*linear);
    for (Expert& expert : layer.experts)
      for (Linear* linear : {&expert.gate_proj, &expert.up_proj, &expert.down_proj}) visit(*linear);
  }
}

}  // namespace hone::model
