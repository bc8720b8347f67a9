#pragma once

#include <torch/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/spec.h"

// Axes in tensor names: N tokens in the batch, D documents, H hidden, V vocabulary, I intermediate.

namespace hone::model {

using torch::Tensor;

struct Linear;

/// What a fine-tuning method puts in place of y = x Wᵀ + b. One per adapted layer.
class LinearAdapter {
 public:
  virtual ~LinearAdapter() = default;
  /// @param x [N, in] in the compute dtype
  /// @return  [N, out] in the compute dtype
  virtual Tensor forward(const Tensor& x, const Linear& base) const = 0;
};

/// y = x Wᵀ + b, or what its adapter makes of that.
struct Linear {
  std::string name;  ///< as transformers names the module: model.layers.0.self_attn.q_proj
  Tensor weight;     ///< [out, in]
  Tensor bias;       ///< [out], undefined where the layer has none
  std::shared_ptr<const LinearAdapter> adapter;

  Tensor operator()(const Tensor& x_NI) const;
  /// The product without the adapter.
  Tensor base_forward(const Tensor& x_NI) const;
};

struct Layer {
  Tensor input_layernorm;  ///< [H]
  Linear q_proj, k_proj, v_proj, o_proj;
  Tensor post_attention_layernorm;  ///< [H]
  Linear gate_proj, up_proj, down_proj;
};

/// The tokens of a batch: documents end to end, without padding (idea 1 of the design).
struct TokenStream {
  Tensor ids_N;        ///< i64
  Tensor positions_N;  ///< i64, from 0 in each document
  std::vector<std::int64_t>
      cu_seqlens;  ///< D+1 borders: document d is [cu_seqlens[d], cu_seqlens[d+1])
};

/// A decoder-only language model. Weights are held in the dtype they were loaded in; every product
/// is computed in `compute_dtype`, to which the weights are cast where they differ.
struct Decoder {
  Spec spec;
  torch::Dtype compute_dtype = torch::kFloat32;
  Tensor embed_tokens;  ///< [V, H]
  std::vector<Layer> layers;
  Tensor norm;     ///< [H]
  Tensor lm_head;  ///< [V, H]; the same tensor as embed_tokens where the two are tied

  torch::Device device() const { return embed_tokens.device(); }
  Tensor head_weight() const { return lm_head.to(compute_dtype); }
};

/// The last hidden states, after the final norm: what the head multiplies.
/// @return [N, H] in the compute dtype; no document sees another
/// @throws ShapeError when ids, positions and borders do not fit together
/// @throws DataError when an id is outside the vocabulary
/// @source Llama 2, arXiv:2307.09288, as transformers' LlamaModel computes it
Tensor hidden_states(const Decoder& decoder, const TokenStream& tokens);

/// Visits every linear layer inside the decoder's layers (the head is none of them), in order.
void for_each_linear(Decoder& decoder, const std::function<void(Linear&)>& visit);

/// cos and sin of every position's angles, [N, head_dim / 2] f32 each.
struct RotaryTable {
  Tensor cos, sin;
};
RotaryTable rotary_table(const Spec& spec, const Tensor& positions_N);

/// One attention + MLP block; the keys and values go through `attend`, which knows the documents
/// (and, in generation, the cache).
/// @param attend (q [N, Hq, D], k [N, Hkv, D], v [N, Hkv, D]) -> [N, Hq, D]
using Attend = std::function<Tensor(const Tensor& q, const Tensor& k, const Tensor& v)>;
Tensor layer_forward(const Decoder& decoder, const Layer& layer, const Tensor& x_NH,
                     const RotaryTable& rotary, const Attend& attend);

/// Rows of the embedding. @throws DataError when an id is outside the vocabulary
Tensor embed(const Decoder& decoder, const Tensor& ids_N);

}  // namespace hone::model
