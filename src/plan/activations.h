#pragma once

#include <cstdint>
#include <vector>

#include "engine/trainable.h"
#include "model/decoder.h"

namespace hone::plan {

/// A micro-batch, as far as memory goes.
struct MicroBatch {
  std::int64_t tokens = 0;     ///< of the stream
  std::int64_t head_rows = 0;  ///< tokens whose prediction is looked at
};

/// How a run computes, as far as memory goes.
struct Computation {
  std::vector<bool> recomputed;        ///< [layers] computed again in the backward pass
  std::int64_t activation_budget = 0;  ///< bytes that the layers may keep; 0: as they come
  bool keeps_gradients = false;        ///< of micro-batches before: there is more than one
  bool updates_in_backward = false;    ///< a gradient goes as soon as it is there
};

/// What a step holds beside weights, masters and moments, when it holds most.
struct StepMemory {
  std::int64_t layers = 0;     ///< kept by all layers between forward and backward pass
  std::int64_t head = 0;       ///< of the head: hidden states, a chunk of logits, their gradients
  std::int64_t gradients = 0;  ///< of a step at the most
  std::int64_t peak = 0;       ///< of all of it, gradients included, at the worst moment
  /// What of the peak is no gradient: `activations_peak_bytes` of a run's record.
  std::int64_t activations() const { return peak > gradients ? peak - gradients : 0; }
};

/// What one layer keeps of so many tokens between forward and backward pass: the inputs of what is
/// differentiated, as the operations of src/kernels and src/adapters/lora_linear.cpp save them, and
/// weights that are trained in one dtype and multiplied in another. Exact for LoRA and its starts,
/// and for trained weights; of methods that keep more (DoRA, rotations) the input is counted alone.
/// @param ranks of the layer's low-rank adapters, added up
/// @param has_gradient whether what comes into the layer depends on something trained
std::int64_t kept_by_layer(const model::Decoder& decoder, std::size_t layer, std::int64_t tokens,
                           std::int64_t ranks, bool has_gradient);

/// @param decoder with what is trained attached; its numbers are not looked at
StepMemory step_memory(const model::Decoder& decoder, const engine::Trainable& trainable,
                       const MicroBatch& batch, const Computation& computation);

}  // namespace hone::plan
