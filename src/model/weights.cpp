#include "model/weights.h"

#include "base/error.h"
#include "model/families.h"

namespace hone::model {
namespace {

/// llama.cpp multiplies by the norm's weight as it is stored, so Gemma's are stored with their 1.
double norm_offset(const Family& family) { return -double(family.norm_style.weight_offset); }

/// Slots of one layer, as they are put together.
class LayerSlots {
 public:
  LayerSlots(std::vector<WeightSlot>& slots, const Family& family, std::size_t index)
      : slots_(slots),
        family_(family),
        hf_(fmt::format("model.layers.{}.", index)),
        gguf_(fmt::format("blk.{}.", index)) {}

  /// @param name empty: the family has no such norm
  void vector(const char* name, const char* gguf_name, std::int64_t size, Tensor& tensor) {
    if (*name != '\0')
      slots_.push_back({.name = hf_ + name + ".weight",
                        .gguf_name = gguf_ + gguf_name + ".weight",
                        .shape = {size},
                        .tensor = &tensor,
                        .gguf_offset = norm_offset(family_)});
  }

  void matrix(const char* name, const char* gguf_name, std::int64_t out, std::int64_t in,
              Tensor& tensor) {
    slots_.push_back({hf_ + name + ".weight", gguf_ + gguf_name + ".weight", {out, in}, &tensor});
  }

  struct Size {
    std::int64_t out, in;
    bool has_bias = false;
    std::int64_t rotated_heads = 0;
    std::int64_t expert = -1;
  };
  void linear(const std::string& name, const char* gguf_name, const Size& size, Linear& linear) {
    linear.name = hf_ + name;
    const std::int64_t interleaved_heads = family_.gguf.interleaves ? size.rotated_heads : 0;
    slots_.push_back({linear.name + ".weight",
                      gguf_ + gguf_name + ".weight",
                      {size.out, size.in},
                      &linear.weight,
                      &linear,
                      interleaved_heads,
                      size.expert});
    if (size.has_bias)
      slots_.push_back({linear.name + ".bias",
                        gguf_ + gguf_name + ".bias",
                        {size.out},
                        &linear.bias,
                        nullptr,
                        interleaved_heads});
  }

 private:
  std::vector<WeightSlot>& slots_;
  const Family& family_;
  std::string hf_, gguf_;
};

void attention_slots(const Spec& s, LayerSlots& slots, Layer& layer) {
  const std::int64_t h = s.hidden_size, d = s.head_dim;
  const std::int64_t heads = s.num_attention_heads, kv_heads = s.num_key_value_heads;
  const LayerNames& names = s.family->names;
  slots.vector(names.attention_pre_norm, "attn_norm", h, layer.attention_pre_norm);
  slots.vector(names.attention_post_norm, "post_attention_norm", h, layer.attention_post_norm);
  if (s.family->fuses_projections) {
    slots.linear("self_attn.qkv_proj", "attn_qkv", {(heads + 2 * kv_heads) * d, h, s.qkv_bias},
                 layer.qkv_proj);
  } else {
    slots.linear("self_attn.q_proj", "attn_q", {heads * d, h, s.qkv_bias, heads}, layer.q_proj);
    slots.linear("self_attn.k_proj", "attn_k", {kv_heads * d, h, s.qkv_bias, kv_heads},
                 layer.k_proj);
    slots.linear("self_attn.v_proj", "attn_v", {kv_heads * d, h, s.qkv_bias}, layer.v_proj);
  }
  slots.linear("self_attn.o_proj", "attn_output", {h, heads * d, s.o_bias}, layer.o_proj);
  if (s.family->qk_norm == QkNorm::kNone) return;
  const bool whole = s.family->qk_norm == QkNorm::kWhole;
  slots.vector("self_attn.q_norm", "attn_q_norm", whole ? heads * d : d, layer.q_norm);
  slots.vector("self_attn.k_norm", "attn_k_norm", whole ? kv_heads * d : d, layer.k_norm);
}

void expert_slots(const Spec& s, LayerSlots& slots, Layer& layer) {
  const LayerNames& names = s.family->names;
  const std::int64_t h = s.hidden_size, i = s.moe.intermediate_size;
  slots.matrix(names.router, "ffn_gate_inp", s.moe.num_experts, h, layer.router);
  layer.experts.resize(static_cast<std::size_t>(s.moe.num_experts));
  for (std::size_t e = 0; e < layer.experts.size(); ++e) {
    const std::string prefix = fmt::format("{}.{}.", names.experts, e);
    const auto expert = static_cast<std::int64_t>(e);
    const LayerSlots::Size in{.out = i, .in = h, .expert = expert};
    const LayerSlots::Size out{.out = h, .in = i, .expert = expert};
    slots.linear(prefix + names.expert_gate, "ffn_gate_exps", in, layer.experts[e].gate_proj);
    slots.linear(prefix + names.expert_up, "ffn_up_exps", in, layer.experts[e].up_proj);
    slots.linear(prefix + names.expert_down, "ffn_down_exps", out, layer.experts[e].down_proj);
  }
}

void mlp_slots(const Spec& s, LayerSlots& slots, Layer& layer) {
  const std::int64_t h = s.hidden_size, i = s.intermediate_size;
  if (s.family->fuses_projections) {
    slots.linear("mlp.gate_up_proj", "ffn_up", {2 * i, h, s.mlp_bias}, layer.gate_up_proj);
  } else {
    slots.linear("mlp.gate_proj", "ffn_gate", {i, h, s.mlp_bias}, layer.gate_proj);
    slots.linear("mlp.up_proj", "ffn_up", {i, h, s.mlp_bias}, layer.up_proj);
  }
  slots.linear("mlp.down_proj", "ffn_down", {h, i, s.mlp_bias}, layer.down_proj);
}

struct DtypeRow {
  io::DType io;
  torch::Dtype torch;
};

constexpr DtypeRow kDtypes[] = {
    {io::DType::kF64, torch::kFloat64}, {io::DType::kF32, torch::kFloat32},
    {io::DType::kF16, torch::kFloat16}, {io::DType::kBF16, torch::kBFloat16},
    {io::DType::kI64, torch::kInt64},   {io::DType::kI32, torch::kInt32},
    {io::DType::kI16, torch::kInt16},   {io::DType::kI8, torch::kInt8},
    {io::DType::kU8, torch::kUInt8},    {io::DType::kBool, torch::kBool}};

}  // namespace

std::vector<WeightSlot> weight_slots(Decoder& decoder) {
  const Spec& spec = decoder.spec;
  decoder.layers.resize(static_cast<std::size_t>(spec.num_hidden_layers));
  std::vector<WeightSlot> slots;
  slots.push_back({"model.embed_tokens.weight",
                   "token_embd.weight",
                   {spec.vocab_size, spec.hidden_size},
                   &decoder.embed_tokens});
  for (std::size_t i = 0; i < decoder.layers.size(); ++i) {
    Layer& layer = decoder.layers[i];
    LayerSlots of_layer(slots, *spec.family, i);
    attention_slots(spec, of_layer, layer);
    const LayerNames& names = spec.family->names;
    of_layer.vector(names.mlp_pre_norm, "ffn_norm", spec.hidden_size, layer.mlp_pre_norm);
    of_layer.vector(names.mlp_post_norm, "post_ffw_norm", spec.hidden_size, layer.mlp_post_norm);
    if (spec.layers[i].is_moe)
      expert_slots(spec, of_layer, layer);
    else
      mlp_slots(spec, of_layer, layer);
  }
  slots.push_back({.name = "model.norm.weight",
                   .gguf_name = "output_norm.weight",
                   .shape = {spec.hidden_size},
                   .tensor = &decoder.norm,
                   .gguf_offset = norm_offset(*spec.family)});
  if (spec.scores_tokens)
    slots.push_back({"score.bias", "", {spec.num_labels}, &decoder.score_bias});
  if (spec.num_labels > 0)
    slots.push_back({"score.weight", "", {spec.num_labels, spec.hidden_size}, &decoder.score});
  else if (!spec.tie_word_embeddings)
    slots.push_back(
        {"lm_head.weight", "output.weight", {spec.vocab_size, spec.hidden_size}, &decoder.lm_head});
  return slots;
}

std::int64_t parameter_count(const Spec& spec) {
  Decoder decoder;
  decoder.spec = spec;
  std::int64_t count = 0;
  for (const WeightSlot& slot : weight_slots(decoder)) {
    std::int64_t size = 1;
    for (const std::int64_t extent : slot.shape) size *= extent;
    count += size;
  }
  return count;
}

void tie_head(Decoder& decoder) {
  const bool has_lm_head = decoder.spec.num_labels == 0;
  if (has_lm_head && decoder.spec.tie_word_embeddings) decoder.lm_head = decoder.embed_tokens;
}

torch::Dtype to_torch(io::DType dtype) {
  for (const DtypeRow& row : kDtypes)
    if (row.io == dtype) return row.torch;
  throw DataError(
      fmt::format("the dtype {} has no counterpart in LibTorch", io::dtype_name(dtype)));
}

std::string dtype_label(torch::Dtype dtype) {
  if (dtype == torch::kFloat32) return "fp32";
  if (dtype == torch::kBFloat16) return "bf16";
  if (dtype == torch::kFloat16) return "fp16";
  return torch::toString(dtype);
}

Tensor to_tensor(const io::TensorView& view) {
  const Tensor tensor = torch::empty(view.shape, to_torch(view.dtype));
  HONE_ASSERT(tensor.nbytes() == view.size_bytes);
  std::memcpy(tensor.mutable_data_ptr(), view.data, view.size_bytes);
  return tensor;
}

io::TensorView view_of(const std::string& name, const Tensor& tensor) {
  HONE_ASSERT(tensor.is_contiguous() && tensor.device().is_cpu(), "{}", name);
  for (const DtypeRow& row : kDtypes)
    if (row.torch == tensor.scalar_type())
      return {name, row.io, tensor.sizes().vec(),
              static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
  throw InternalError(fmt::format("{}: no stored dtype for this tensor", name));
}

void HostTensors::add(const std::string& name, const Tensor& tensor) {
  kept_.push_back(tensor.detach().to(torch::kCPU).contiguous());
  views_.push_back(view_of(name, kept_.back()));
}

}  // namespace hone::model
