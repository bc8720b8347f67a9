#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "io/safetensors.h"
#include "kernels/packed/packed.h"
#include "model/weights.h"
#include "quant/recipe.h"

// Packed matrices as checkpoints hold them. What transformers, vLLM and PEFT read:
//   nf4, fp4            bitsandbytes: weight u8, weight.absmax, weight.quant_map, weight.nested_…,
//                       and weight.quant_state.bitsandbytes__nf4, a JSON text in bytes
//   int8                bitsandbytes: weight i8, SCB f32 (a row's largest), weight_format
//   int4, int8_group    compressed-tensors' pack-quantized: weight_packed i32, weight_scale bf16,
//                       weight_shape, and weight_zero_point where groups have one
// int8_blockwise has no such form.
namespace hone::model {

/// Tensors by the names that they have behind their layer's and a dot.
using LayerTensors = std::vector<std::pair<std::string, Tensor>>;

/// @param dtype what the model's other weights are kept in; readers compute in it
/// @throws ConfigError where no form holds the matrix
LayerTensors packed_tensors(const kernels::PackedMatrix& matrix, torch::Dtype dtype);

/// The names of a layer's packed matrix in a model's files, in full; empty where it is not packed.
std::vector<std::string> packed_names(const io::SafetensorsSet& files, const std::string& layer);

/// @param rows,columns what the model's config asks for
/// @throws DataError naming layer, expected and found where the tensors do not fit together, or
///         where hone does not compute with what they say
kernels::PackedMatrix read_packed(const io::SafetensorsSet& files, const std::string& layer,
                                  std::int64_t rows, std::int64_t columns);

/// What config.json says of packed layers under `quantization_config`.
/// @param unpacked modules that have a matrix and keep it as numbers; the head is one of them
nlohmann::ordered_json packed_config(const quant::Recipe& recipe,
                                     const std::vector<std::string>& unpacked, torch::Dtype dtype);

}  // namespace hone::model
