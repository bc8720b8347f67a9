#include "base/error.h"
#include "model/packed_checkpoint.h"

namespace hone::model {
namespace {

using nlohmann::ordered_json;

/// transformers' BitsAndBytesConfig, as its to_dict() has it.
ordered_json bitsandbytes_config(const quant::Recipe& recipe,
                                 const std::vector<std::string>& unpacked, torch::Dtype dtype) {
  const bool four_bit = quant::is_four_bit(recipe.format);
  return {{"_load_in_4bit", four_bit},
          {"_load_in_8bit", !four_bit},
          {"bnb_4bit_compute_dtype", dtype == torch::kBFloat16 ? "bfloat16" : "float32"},
          {"bnb_4bit_quant_storage", "uint8"},
          {"bnb_4bit_quant_type", four_bit ? quant::format_name(recipe.format) : "fp4"},
          {"bnb_4bit_use_double_quant", four_bit && recipe.double_quantization},
          {"llm_int8_enable_fp32_cpu_offload", false},
          {"llm_int8_has_fp16_weight", false},
          {"llm_int8_skip_modules", unpacked},
          {"llm_int8_threshold", 6.0},
          {"load_in_4bit", four_bit},
          {"load_in_8bit", !four_bit},
          {"quant_method", "bitsandbytes"}};
}

/// compressed-tensors' QuantizationConfig: one group for every linear layer that is not ignored.
ordered_json compressed_config(const quant::Recipe& recipe,
                               const std::vector<std::string>& unpacked) {
  const ordered_json weights = {{"num_bits", recipe.format == quant::Format::kInt4 ? 4 : 8},
                                {"type", "int"},
                                {"symmetric", recipe.symmetric},
                                {"strategy", "group"},
                                {"group_size", recipe.blocksize},
                                {"dynamic", false}};
  const ordered_json group = {{"targets", ordered_json::array({"Linear"})},
                              {"weights", weights},
                              {"input_activations", nullptr},
                              {"output_activations", nullptr}};
  return {{"config_groups", {{"group_0", group}}},
          {"format", "pack-quantized"},
          {"global_compression_ratio", nullptr},
          {"ignore", unpacked},
          {"kv_cache_scheme", nullptr},
          {"quant_method", "compressed-tensors"},
          {"quantization_status", "compressed"}};
}

}  // namespace

ordered_json packed_config(const quant::Recipe& recipe, const std::vector<std::string>& unpacked,
                           torch::Dtype dtype) {
  HONE_ASSERT(recipe.format != quant::Format::kNone);
  return quant::is_integer_group(recipe.format) ? compressed_config(recipe, unpacked)
                                                : bitsandbytes_config(recipe, unpacked, dtype);
}

}  // namespace hone::model
