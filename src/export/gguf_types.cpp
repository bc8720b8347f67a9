#include "export/gguf_types.h"

#include <fmt/ranges.h>

#include <charconv>

#include "base/error.h"
#include "model/families.h"

namespace hone::exporting {
namespace {

constexpr std::int64_t kEightExperts = 8;

bool in_first_two(LayerPlace place) { return place.index < 2; }
bool in_first_four(LayerPlace place) { return place.index < 4; }
bool in_first_eighth(LayerPlace place) { return place.index < place.count / 8; }
bool in_first_sixteenth(LayerPlace place) { return place.index < place.count / 16; }
/// The first and the last eighth, and each third layer between.
bool at_ends_and_thirds(LayerPlace place) {
  const std::int64_t eighth = place.count / 8;
  return place.index < eighth || place.index >= 7 * place.count / 8 ||
         (place.index - eighth) % 3 == 2;
}

constexpr MixRule kMoreBits = {GGML_TYPE_Q6_K, at_ends_and_thirds};

constexpr GgufMix kMixes[] = {
    {.name = "f32", .type = GGML_TYPE_F32, .file_type = 0},
    {.name = "f16", .type = GGML_TYPE_F16, .file_type = 1},
    {.name = "bf16", .type = GGML_TYPE_BF16, .file_type = 32},
    {.name = "q8_0", .type = GGML_TYPE_Q8_0, .file_type = 7},
    {.name = "q4_0", .type = GGML_TYPE_Q4_0, .file_type = 2},
    {.name = "q4_1", .type = GGML_TYPE_Q4_1, .file_type = 3},
    {.name = "q5_0", .type = GGML_TYPE_Q5_0, .file_type = 8},
    {.name = "q5_1", .type = GGML_TYPE_Q5_1, .file_type = 9},
    {.name = "q2_k",
     .type = GGML_TYPE_Q2_K,
     .file_type = 10,
     .attention_values = {GGML_TYPE_Q3_K},
     .attention_output = {GGML_TYPE_Q3_K},
     .ffn_down = {GGML_TYPE_Q3_K},
     .shared_values = GGML_TYPE_Q4_K,
     .output_of_eight = GGML_TYPE_Q5_K},
    {.name = "q3_k_s", .type = GGML_TYPE_Q3_K, .file_type = 11, .output_of_eight = GGML_TYPE_Q5_K},
    {.name = "q3_k_m",
     .type = GGML_TYPE_Q3_K,
     .file_type = 12,
     .attention_values = {GGML_TYPE_Q5_K, in_first_two, GGML_TYPE_Q4_K},
     .attention_output = {GGML_TYPE_Q4_K},
     .ffn_down = {GGML_TYPE_Q5_K, in_first_sixteenth, GGML_TYPE_Q4_K},
     .output_of_eight = GGML_TYPE_Q5_K},
    {.name = "q3_k_l",
     .type = GGML_TYPE_Q3_K,
     .file_type = 13,
     .attention_values = {GGML_TYPE_Q5_K},
     .attention_output = {GGML_TYPE_Q5_K},
     .ffn_down = {GGML_TYPE_Q5_K},
     .output_of_eight = GGML_TYPE_Q3_K},
    {.name = "q4_k_s",
     .type = GGML_TYPE_Q4_K,
     .file_type = 14,
     .attention_values = {GGML_TYPE_Q5_K, in_first_four},
     .ffn_down = {GGML_TYPE_Q5_K, in_first_eighth},
     .output_of_eight = GGML_TYPE_Q5_K},
    {.name = "q4_k_m",
     .type = GGML_TYPE_Q4_K,
     .file_type = 15,
     .attention_values = kMoreBits,
     .ffn_down = kMoreBits,
     .output_of_eight = GGML_TYPE_Q5_K},
    {.name = "q5_k_s", .type = GGML_TYPE_Q5_K, .file_type = 16},
    {.name = "q5_k_m",
     .type = GGML_TYPE_Q5_K,
     .file_type = 17,
     .attention_values = kMoreBits,
     .ffn_down = kMoreBits},
    {.name = "q6_k", .type = GGML_TYPE_Q6_K, .file_type = 18},
};

ggml_type or_else(ggml_type type, ggml_type otherwise) {
  return type == GGML_TYPE_COUNT ? otherwise : type;
}

ggml_type apply(const MixRule& rule, LayerPlace place, ggml_type basic) {
  const bool holds = rule.holds == nullptr || rule.holds(place);
  return or_else(holds ? rule.type : rule.otherwise, basic);
}

/// blk.12.attn_v.weight is of layer 12.
LayerPlace place_of(const std::string& name, const model::Spec& spec) {
  constexpr std::string_view kPrefix = "blk.";
  LayerPlace place{.count = spec.num_hidden_layers};
  HONE_ASSERT(name.starts_with(kPrefix), "{} is of no layer", name);
  std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), place.index);
  return place;
}

/// llama.cpp's "70B": Llama's and Qwen 2's models of 80 layers, whose heads share values.
bool is_70b(const model::Spec& spec) {
  const std::string_view architecture = spec.family->gguf.architecture;
  const bool shares = spec.num_key_value_heads != spec.num_attention_heads;
  return spec.num_hidden_layers == 80 &&
         (architecture == "qwen2" || (architecture == "llama" && shares));
}

ggml_type values_type(const GgufMix& mix, LayerPlace place, const model::Spec& spec) {
  if (spec.moe.num_experts == kEightExperts) return GGML_TYPE_Q8_0;
  ggml_type type = apply(mix.attention_values, place, mix.type);
  if (spec.num_attention_heads / spec.num_key_value_heads >= 4)
    type = or_else(mix.shared_values, type);
  const bool is_small = type == GGML_TYPE_Q3_K || type == GGML_TYPE_Q4_K;
  return is_70b(spec) && is_small ? GGML_TYPE_Q5_K : type;
}

ggml_type output_type(const GgufMix& mix, LayerPlace place, const model::Spec& spec) {
  if (spec.moe.num_experts == kEightExperts && mix.output_of_eight != GGML_TYPE_COUNT)
    return mix.output_of_eight;
  return apply(mix.attention_output, place, mix.type);
}

/// The head, or the embedding that is the head as well.
ggml_type head_type(const GgufMix& mix, std::int64_t columns) {
  if (mix.type == GGML_TYPE_Q8_0 || columns % ggml_blck_size(mix.type) != 0) return GGML_TYPE_Q8_0;
  return GGML_TYPE_Q6_K;
}

/// What a mix makes of a matrix whose rows fit any type.
ggml_type wanted_type(const GgufMix& mix, const std::string& name, std::int64_t columns,
                      const model::Spec& spec) {
  const auto has = [&](std::string_view part) { return name.find(part) != std::string::npos; };
  if (name == "output.weight" || (name == "token_embd.weight" && spec.tie_word_embeddings))
    return head_type(mix, columns);
  if (name == "token_embd.weight") return mix.type;
  const LayerPlace place = place_of(name, spec);
  if (has("attn_v.") || has("attn_qkv.")) return values_type(mix, place, spec);
  if (has("attn_k.") && spec.moe.num_experts == kEightExperts) return GGML_TYPE_Q8_0;
  if (has("attn_output.")) return output_type(mix, place, spec);
  if (has("ffn_down")) return apply(mix.ffn_down, place, mix.type);
  return mix.type;
}

struct Fallback {
  ggml_type from, to;
};
constexpr Fallback kFallbacks[] = {{GGML_TYPE_Q2_K, GGML_TYPE_Q4_0},
                                   {GGML_TYPE_Q3_K, GGML_TYPE_Q4_0},
                                   {GGML_TYPE_Q4_K, GGML_TYPE_Q5_0},
                                   {GGML_TYPE_Q5_K, GGML_TYPE_Q5_1},
                                   {GGML_TYPE_Q6_K, GGML_TYPE_Q8_0}};

/// A type whose blocks the rows are made of.
ggml_type fitting_type(ggml_type type, std::int64_t columns) {
  if (columns % ggml_blck_size(type) == 0) return type;
  for (const Fallback& row : kFallbacks)
    if (row.from == type && columns % ggml_blck_size(row.to) == 0) return row.to;
  return GGML_TYPE_F16;
}

}  // namespace

std::span<const GgufMix> gguf_mixes() { return kMixes; }

const GgufMix& gguf_mix(std::string_view name) {
  std::vector<std::string_view> names;
  for (const GgufMix& mix : kMixes) {
    if (mix.name == name) return mix;
    names.push_back(mix.name);
  }
  throw ConfigError(fmt::format("there is no type `{}` of GGUF files; expected one of {}", name,
                                fmt::join(names, ", ")));
}

ggml_type gguf_tensor_type(const GgufMix& mix, const std::string& name,
                           const std::vector<std::int64_t>& shape, const model::Spec& spec) {
  const bool is_router = name.find("ffn_gate_inp.") != std::string::npos;
  if (shape.size() < 2 || is_router) return GGML_TYPE_F32;
  if (!ggml_is_quantized(mix.type)) return mix.type;
  return fitting_type(wanted_type(mix, name, shape.back(), spec), shape.back());
}

}  // namespace hone::exporting
