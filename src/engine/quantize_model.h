#pragma once

#include <string>
#include <vector>

#include "model/decoder.h"
#include "quant/error.h"
#include "quant/recipe.h"

namespace hone::engine {

/// What packing did to one layer's matrix.
struct PackedLayer {
  std::string name;
  std::int64_t bytes_before = 0, bytes_after = 0;
  quant::MatrixError error;
};

/// Packs the matrices of a model's layers, one at a time, as loading with the same recipe would.
/// @param skip as model.quantization_skip
/// @return what each lost, in the order of the layers
/// @throws ConfigError where `skip` names no layer
std::vector<PackedLayer> quantize_layers(model::Decoder& decoder, const quant::Recipe& recipe,
                                         const std::vector<std::string>& skip);

}  // namespace hone::engine
