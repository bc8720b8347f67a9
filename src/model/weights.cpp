#include "model/weights.h"

#include "base/error.h"

namespace hone::model {
namespace {

/// One row a linear layer of a block: its member, its names in both worlds, and its sizes.
struct LinearRow {
  Linear Layer::*member;
  const char* name;
  const char* gguf_name;
  std::int64_t out, in;
  bool has_bias;
  std::int64_t interleaved_heads;
};

std::vector<LinearRow> linear_rows(const Spec& s) {
  const std::int64_t h = s.hidden_size, i = s.intermediate_size;
  const std::int64_t heads = s.num_attention_heads, kv_heads = s.num_key_value_heads;
  const std::int64_t q = heads * s.head_dim, kv = kv_heads * s.head_dim;
  return {{&Layer::q_proj, "self_attn.q_proj", "attn_q", q, h, s.attention_bias, heads},
          {&Layer::k_proj, "self_attn.k_proj", "attn_k", kv, h, s.attention_bias, kv_heads},
          {&Layer::v_proj, "self_attn.v_proj", "attn_v", kv, h, s.attention_bias, 0},
          {&Layer::o_proj, "self_attn.o_proj", "attn_output", h, q, s.attention_bias, 0},
          {&Layer::gate_proj, "mlp.gate_proj", "ffn_gate", i, h, s.mlp_bias, 0},
          {&Layer::up_proj, "mlp.up_proj", "ffn_up", i, h, s.mlp_bias, 0},
          {&Layer::down_proj, "mlp.down_proj", "ffn_down", h, i, s.mlp_bias, 0}};
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
    const std::string hf = fmt::format("model.layers.{}.", i);
    const std::string gguf = fmt::format("blk.{}.", i);
    slots.push_back({hf + "input_layernorm.weight",
                     gguf + "attn_norm.weight",
                     {spec.hidden_size},
                     &layer.input_layernorm});
    slots.push_back({hf + "post_attention_layernorm.weight",
                     gguf + "ffn_norm.weight",
                     {spec.hidden_size},
                     &layer.post_attention_layernorm});
    for (const LinearRow& row : linear_rows(spec)) {
      Linear& linear = layer.*row.member;
      linear.name = hf + row.name;
      slots.push_back({linear.name + ".weight",
                       gguf + row.gguf_name + ".weight",
                       {row.out, row.in},
                       &linear.weight,
                       row.interleaved_heads});
      if (row.has_bias)
        slots.push_back({linear.name + ".bias",
                         gguf + row.gguf_name + ".bias",
                         {row.out},
                         &linear.bias,
                         row.interleaved_heads});
    }
  }
  slots.push_back({"model.norm.weight", "output_norm.weight", {spec.hidden_size}, &decoder.norm});
  if (!spec.tie_word_embeddings)
    slots.push_back(
        {"lm_head.weight", "output.weight", {spec.vocab_size, spec.hidden_size}, &decoder.lm_head});
  return slots;
}

void tie_head(Decoder& decoder) {
  if (decoder.spec.tie_word_embeddings) decoder.lm_head = decoder.embed_tokens;
}

torch::Dtype to_torch(io::DType dtype) {
  for (const DtypeRow& row : kDtypes)
    if (row.io == dtype) return row.torch;
  throw DataError(
      fmt::format("the dtype {} has no counterpart in LibTorch", io::dtype_name(dtype)));
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
