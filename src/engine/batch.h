#pragma once

#include "datasets/batch.h"
#include "model/decoder.h"

namespace hone::engine {

using torch::Tensor;

/// A batch on the device it is computed on. M counts the tokens that carry weight.
struct DeviceBatch {
  model::TokenStream tokens;
  Tensor rows_M;     ///< i64, positions in the stream whose next token is trained on
  Tensor targets_M;  ///< i64, those next tokens
  Tensor weights_M;  ///< f32, their weights
};

DeviceBatch to_device(const datasets::Batch& batch, torch::Device device);

}  // namespace hone::engine
