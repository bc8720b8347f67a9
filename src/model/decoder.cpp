#include "model/decoder.h"

#include <ATen/ops/embedding.h>
#include <ATen/ops/linear.h>

#include <cmath>

#include "base/error.h"
#include "kernels/attention/attention.h"
#include "kernels/rms_norm/rms_norm.h"
#include "kernels/rope/rope.h"
#include "kernels/swiglu/swiglu.h"

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

}  // namespace

Tensor Linear::base_forward(const Tensor& x_NI) const {
  return at::linear(x_NI, cast(weight, x_NI.scalar_type()), cast(bias, x_NI.scalar_type()));
}

Tensor Linear::operator()(const Tensor& x_NI) const {
  return adapter ? adapter->forward(x_NI, *this) : base_forward(x_NI);
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
  return at::embedding(decoder.embed_tokens, ids_N).to(decoder.compute_dtype);
}

RotaryTable rotary_table(const Spec& spec, const Tensor& positions_N) {
  // Angles in fp64: at position 100,000 an fp32 product is already off by 1e-3 of a turn.
  const Tensor frequencies =
      torch::tensor(rope_frequencies(spec), torch::kFloat64).to(positions_N.device());
  const Tensor angles = positions_N.to(torch::kFloat64).unsqueeze(1) * frequencies.unsqueeze(0);
  return {angles.cos().to(torch::kFloat32), angles.sin().to(torch::kFloat32)};
}

Tensor layer_forward(const Decoder& decoder, const Layer& layer, const Tensor& x_NH,
                     const RotaryTable& rotary, const Attend& attend) {
  const Spec& spec = decoder.spec;
  const std::int64_t n = x_NH.size(0);

  const Tensor a =
      kernels::rms_norm(x_NH, cast(layer.input_layernorm, x_NH.scalar_type()), spec.rms_norm_eps);
  const Tensor q = layer.q_proj(a).view({n, spec.num_attention_heads, spec.head_dim});
  const Tensor k = layer.k_proj(a).view({n, spec.num_key_value_heads, spec.head_dim});
  const Tensor v = layer.v_proj(a).view({n, spec.num_key_value_heads, spec.head_dim});
  const Tensor attended =
      attend(kernels::rope(q, rotary.cos, rotary.sin), kernels::rope(k, rotary.cos, rotary.sin), v);
  const Tensor x = x_NH + layer.o_proj(attended.reshape({n, -1}));

  const Tensor m = kernels::rms_norm(x, cast(layer.post_attention_layernorm, x.scalar_type()),
                                     spec.rms_norm_eps);
  return x + layer.down_proj(kernels::swiglu(layer.gate_proj(m), layer.up_proj(m)));
}

Tensor hidden_states(const Decoder& decoder, const TokenStream& tokens) {
  check_stream(tokens);
  const double scale = 1.0 / std::sqrt(double(decoder.spec.head_dim));
  const Attend attend = [&](const Tensor& q, const Tensor& k, const Tensor& v) {
    return kernels::attention(q, k, v, tokens.cu_seqlens, scale);
  };
  const RotaryTable rotary = rotary_table(decoder.spec, tokens.positions_N);
  Tensor x = embed(decoder, tokens.ids_N);
  for (const Layer& layer : decoder.layers) x = layer_forward(decoder, layer, x, rotary, attend);
  return kernels::rms_norm(x, cast(decoder.norm, x.scalar_type()), decoder.spec.rms_norm_eps);
}

void for_each_linear(Decoder& decoder, const std::function<void(Linear&)>& visit) {
  for (Layer& layer : decoder.layers)
    for (Linear* linear : {&layer.q_proj, &layer.k_proj, &layer.v_proj, &layer.o_proj,
                           &layer.gate_proj, &layer.up_proj, &layer.down_proj})
      visit(*linear);
}

}  // namespace hone::model
