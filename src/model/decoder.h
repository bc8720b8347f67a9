#pragma once

#include <torch/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/attention/attention.h"
#include "model/recompute.h"
#include "model/spec.h"

// Axes in tensor names: N tokens in the batch, D documents, H hidden, V vocabulary, I intermediate.

namespace hone::kernels {
struct PackedMatrix;
}

namespace hone::model {

using torch::Tensor;

struct Linear;
class Residency;

/// What a fine-tuning method puts in place of y = x Wᵀ + b. One per adapted layer.
class LinearAdapter {
 public:
  virtual ~LinearAdapter() = default;
  /// @param x [N, in] in the compute dtype
  /// @return  [N, out] in the compute dtype
  virtual Tensor forward(const Tensor& x, const Linear& base) const = 0;
  /// The W' for which x W'ᵀ + b' is what `forward` gives without dropout, differentiable.
  /// @return [out, in] f32
  /// @throws ConfigError where no weight does that
  virtual Tensor merged_weight(const Linear& base) const = 0;
  /// Its b', undefined where there is none. @throws ConfigError where the layer cannot hold it
  virtual Tensor merged_bias(const Linear& base) const;
};

/// What a fine-tuning method puts in place of the embedding's rows.
class EmbeddingAdapter {
 public:
  virtual ~EmbeddingAdapter() = default;
  /// @param ids_N i64; @param weight [V, H], the base's
  /// @return [N, H], before the embedding's multiplier
  virtual Tensor rows(const Tensor& ids_N, const Tensor& weight) const = 0;
  /// The [V, H] f32 whose rows these are, differentiable.
  virtual Tensor merged_weight(const Tensor& weight) const = 0;
};

/// Trained tokens that stand before every document: the model sees them, its callers do not. Their
/// positions are 0 to count − 1, and those of the document's own tokens follow.
struct VirtualTokens {
  struct KeysAndValues {
    Tensor k, v;  ///< [count, Hkv, head_dim]; keys are not rotated
  };
  std::int64_t count = 0;
  std::function<Tensor()> embeddings;  ///< [count, H] in place of embedding rows; or, empty,
  std::function<KeysAndValues(std::size_t layer)> keys_and_values;  ///< what attention sees of them
};

/// y = x Wᵀ + b, or what its adapter makes of that.
struct Linear {
  std::string name;  ///< as transformers names the module: model.layers.0.self_attn.q_proj
  Tensor weight;     ///< [out, in], undefined where `packed` has it
  std::shared_ptr<const kernels::PackedMatrix> packed;  ///< the weight in 4 or 8 bits, frozen
  Tensor bias;  ///< [out], undefined where the layer has none
  std::shared_ptr<const LinearAdapter> adapter;

  /// False where the family has no such layer.
  bool exists() const { return weight.defined() || packed != nullptr; }
  std::int64_t out_features() const;
  std::int64_t in_features() const;

  Tensor operator()(const Tensor& x_NI) const;
  /// The product without the adapter.
  Tensor base_forward(const Tensor& x_NI) const;
};

/// The weight as numbers, [out, in] in `dtype`: the tensor itself where it is kept so, else made
/// for the moment. Who needs it for one product lets go of it before the next.
Tensor dense_weight(const Linear& linear, torch::Dtype dtype);

/// One expert of a mixture.
struct Expert {
  Linear gate_proj, up_proj, down_proj;
};

/// One layer. What its family does without is left undefined: a norm that is not there, a fused
/// projection in place of its parts, an MLP in place of experts.
struct Layer {
  Tensor attention_pre_norm, attention_post_norm;  ///< [H]
  Linear q_proj, k_proj, v_proj;
  Linear qkv_proj;        ///< the three in one
  Tensor q_norm, k_norm;  ///< [head_dim], or [Hq · head_dim] and [Hkv · head_dim]
  Linear o_proj;
  Tensor mlp_pre_norm, mlp_post_norm;  ///< [H]
  Linear gate_proj, up_proj;
  Linear gate_up_proj;  ///< the two in one
  Linear down_proj;
  Tensor router;                ///< [E, H]
  std::vector<Expert> experts;  ///< [E]
};

/// The tokens of a batch: documents end to end, without padding (idea 1 of the design).
///
/// Documents that begin alike may share that beginning: a span with a prefix goes on where that
/// earlier span ends, in positions too, and sees it and itself. [prompt][chosen][rejected] with
/// prefix_of {-1, 0, 0} is a pair whose prompt is computed once.
struct TokenStream {
  Tensor ids_N;        ///< i64
  Tensor positions_N;  ///< i64, from 0 in each document
  std::vector<std::int64_t>
      cu_seqlens;  ///< D+1 borders: document (or span) d is [cu_seqlens[d], cu_seqlens[d+1])
  /// Empty, or D: -1 where the span begins a document, else the last span before it with -1.
  std::vector<std::int64_t> prefix_of = {};
};

/// A decoder-only model. Weights are held in the dtype they were loaded in; every product
/// is computed in `compute_dtype`, to which the weights are cast where they differ.
struct Decoder {
  Spec spec;
  torch::Dtype compute_dtype = torch::kFloat32;
  Tensor embed_tokens;  ///< [V, H]
  std::vector<Layer> layers;
  Tensor norm;        ///< [H]
  Tensor lm_head;     ///< [V, H]; the same tensor as embed_tokens where the two are tied
  Tensor score;       ///< [num_labels, H], in the place of lm_head where the spec has labels
  Tensor score_bias;  ///< [num_labels], undefined where the head has none

  std::shared_ptr<const LinearAdapter> head_adapter;  ///< on lm_head
  std::shared_ptr<const EmbeddingAdapter> embedding_adapter;
  std::shared_ptr<const VirtualTokens> virtual_tokens;
  std::shared_ptr<const Recomputation> recomputation;  ///< null: every layer keeps what it made
  std::shared_ptr<const Residency> residency;          ///< null: all weights are in place always
  /// Noise on the embedding of a stream (rows [N, H], borders), added to it; empty: none.
  std::function<Tensor(const Tensor& rows_NH, const std::vector<std::int64_t>& cu_seqlens)>
      embedding_noise;

  torch::Device device() const { return embed_tokens.device(); }
  /// lm_head as a layer, with its adapter.
  Linear head() const;
  /// What the head multiplies with, its adapter's part included. [V, H] in the compute dtype
  Tensor head_weight() const;
};

/// What a forward pass leaves beside its result, where somebody asks.
struct ForwardTrace {
  std::vector<Tensor> router_logits;  ///< [N, E] of each layer with experts
};

/// The last hidden states, after the final norm: what the head multiplies.
/// @return [N, H] in the compute dtype; no document sees another
/// @throws ShapeError when ids, positions, borders and prefixes do not fit together
/// @throws ConfigError where documents share a prefix that the model's rope turns differently in
///         each (dynamic and longrope look at a document's length)
/// @throws DataError when an id is outside the vocabulary
/// @source Llama 2, arXiv:2307.09288, and the families of families.cpp, as transformers computes
///         them
Tensor hidden_states(const Decoder& decoder, const TokenStream& tokens,
                     ForwardTrace* trace = nullptr);

/// Visits every linear layer inside the decoder's layers (the head is none of them), in order.
void for_each_linear(Decoder& decoder, const std::function<void(Linear&)>& visit);

/// cos and sin of every position's angles, [N, rotary_dim / 2] f32 each.
struct RotaryTable {
  Tensor cos, sin;
};
/// One for each of the spec's ropes.
/// @param document_lengths tokens of each token's document, for ropes that depend on it
std::vector<RotaryTable> rotary_tables(const Spec& spec, const Tensor& positions_N,
                                       const std::vector<std::int64_t>& cu_seqlens,
                                       const std::vector<std::int64_t>& document_lengths);

/// Attention of one layer; it knows the documents (and, in generation, the cache).
/// (q [N, Hq, D], k [N, Hkv, D], v [N, Hkv, D], options) -> [N, Hq, D]
using Attend = std::function<Tensor(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const kernels::AttentionOptions& options)>;

/// One attention + MLP block.
Tensor layer_forward(const Decoder& decoder, std::size_t layer, const Tensor& x_NH,
                     const std::vector<RotaryTable>& ropes, const Attend& attend,
                     ForwardTrace* trace = nullptr);

/// What `layer` makes of x, with that layer's weights in place, in its backward pass too.
Tensor resident_layer(const Decoder& decoder, std::size_t index, const Piece& layer,
                      const Tensor& x_NH);

/// Every layer in turn: what it makes is kept for the backward pass, or made again in it, as
/// `decoder.recomputation` says. Where a trace is asked for, all is kept.
/// @param attend_of what attention is in a layer; it and the decoder live until the backward pass
/// @throws Interrupted, here and in the backward pass
Tensor run_layers(const Decoder& decoder, const Tensor& x_NH, std::vector<RotaryTable> ropes,
                  const std::function<Attend(std::size_t layer)>& attend_of, ForwardTrace* trace);

/// The norm of the family. @param weight undefined: x as it is
Tensor apply_norm(const Decoder& decoder, const Tensor& weight, const Tensor& x);

/// The norm behind the last layer. What the head multiplies with is in place from here on.
Tensor final_norm(const Decoder& decoder, const Tensor& x);

/// Rows of the embedding, times its multiplier. @throws DataError when an id is outside the
/// vocabulary
Tensor embed(const Decoder& decoder, const Tensor& ids_N);
/// The same of a stream, with the decoder's noise.
Tensor embed(const Decoder& decoder, const TokenStream& tokens);

}  // namespace hone::model
