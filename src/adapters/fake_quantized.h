#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/decoder.h"
#include "quant/recipe.h"

namespace hone::adapters {

using torch::Tensor;

/// What all fake-quantised layers of a model have together.
struct FakeQuantization {
  quant::Recipe recipe;
  std::int64_t after_steps = 0;    ///< optimizer steps that are taken without it
  std::vector<Tensor> parameters;  ///< what is trained: where none has changed, no code has
  bool is_active = false;

  /// To be called before each step, and with the steps done where a run goes on.
  void begin_step(std::int64_t step) { is_active = after_steps == 0 || step > after_steps; }
  /// A number that changes whenever a parameter does.
  std::uint64_t version() const;
};

/// A weight as it is packed while it is trained.
struct PackedWeight {
  std::shared_ptr<const kernels::PackedMatrix> matrix;  ///< on the weight's device
  Tensor places_cut;  ///< [cut] i64, numbers that no gradient reaches: they were cut to the range
};
/// @param weight_OI [out, in] f32
PackedWeight pack_for_training(const Tensor& weight_OI, const quant::Recipe& recipe);

/// x Ŵᵀ + b, where Ŵ is W packed by the recipe: in x's dtype, and bit for bit what the packed layer
/// gives. The gradient goes straight through the packing, but for the numbers that were cut: theirs
/// is 0.
/// @param x_NI      [N, in], the compute dtype
/// @param weight_OI W, [out, in] f32; its gradient is f32
/// @param packed    the same W packed
/// @param bias_O    [out] or undefined
/// @source arXiv:1308.3432 (straight-through); arXiv:1712.05877; torchao's _GenericFakeQuantize
Tensor fake_quantized_linear(const Tensor& x_NI, const Tensor& weight_OI,
                             const PackedWeight& packed, const Tensor& bias_O);

/// Puts fake quantisation onto a layer, over the adapter that it has: then what is packed is what
/// that adapter and the weight would be merged to, so that the merged and packed layer computes
/// what the training did. (torchtune's QAT-LoRA packs the base alone, and merging moves it.)
/// @throws ConfigError where the adapter cannot be merged, or the rows do not divide into groups
void add_fake_quantization(model::Linear& linear, std::shared_ptr<const FakeQuantization> how);

/// The layer as it is served: packed, without adapter. False where it is not fake-quantised.
bool pack_fake_quantized(model::Linear& linear);

}  // namespace hone::adapters
