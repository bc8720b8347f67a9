#pragma once

#include <cstdint>
#include <memory>

#include "kernels/dropout/dropout.h"

namespace hone::adapters {

/// What dropout in a forward pass depends on besides the element: set by the trainer before each
/// micro-batch, read by every adapted layer.
struct DropoutState {
  bool training = false;
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
  std::uint64_t first_row = 0;  ///< tokens of this optimizer step that earlier micro-batches held
};

/// Dropout of one adapted layer's input.
struct Dropping {
  double probability = 0;
  std::uint32_t site = 0;  ///< no two layers share a mask
  std::shared_ptr<const DropoutState> state;

  bool is_active() const { return probability > 0 && state != nullptr && state->training; }
  /// 0 where nothing is dropped.
  double active_probability() const { return is_active() ? probability : 0; }
  kernels::DropoutKey key() const {
    return is_active() ? kernels::DropoutKey{state->seed, state->step, site, state->first_row}
                       : kernels::DropoutKey{};
  }
  at::Tensor operator()(const at::Tensor& x) const {
    return is_active() ? kernels::dropout(x, probability, key()) : x;
  }
};

}  // namespace hone::adapters
