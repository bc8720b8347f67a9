#pragma once

#include <ggml.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/spec.h"

namespace hone::exporting {

/// A layer's number and how many layers there are.
struct LayerPlace {
  std::int64_t index = 0, count = 0;
};

/// The type of some tensors of a mix: `type` in the layers that `holds` says, `otherwise` in the
/// rest.
struct MixRule {
  ggml_type type = GGML_TYPE_COUNT;           ///< COUNT: the mix's own
  bool (*holds)(LayerPlace place) = nullptr;  ///< null: in every layer
  ggml_type otherwise = GGML_TYPE_COUNT;
};

/// A way to store a model's tensors, as llama.cpp's quantize has them: one row of the table.
/// @source llama.cpp, src/llama-quant.cpp, llama_tensor_get_type_impl
struct GgufMix {
  std::string_view name;    ///< as `hone export --type` names it
  ggml_type type;           ///< of every matrix that no rule below is about
  std::uint32_t file_type;  ///< `general.file_type`, an `enum llama_ftype`
  MixRule attention_values = {};
  MixRule attention_output = {};
  MixRule ffn_down = {};
  /// Of attention_values where four heads or more share one; COUNT: as above.
  ggml_type shared_values = GGML_TYPE_COUNT;
  /// Of attention_output in a mixture of eight experts, in the place of the rule.
  ggml_type output_of_eight = GGML_TYPE_COUNT;
};

/// f32, f16, bf16, q8_0, q4_0, …, q4_k_m, …, q6_k.
std::span<const GgufMix> gguf_mixes();
/// @throws ConfigError naming those that there are
const GgufMix& gguf_mix(std::string_view name);

/// What a mix makes of one tensor. Vectors and routers stay f32; a row that is no multiple of a
/// block of 256 falls back to a type with blocks of 32, and else to f16.
/// @param name  llama.cpp's: blk.0.attn_v.weight
/// @param shape row by row, with the experts of a layer stacked
ggml_type gguf_tensor_type(const GgufMix& mix, const std::string& name,
                           const std::vector<std::int64_t>& shape, const model::Spec& spec);

}  // namespace hone::exporting
