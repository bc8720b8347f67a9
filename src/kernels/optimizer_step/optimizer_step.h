#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "kernels/optimizer_step/rules.h"

namespace hone::kernels {

/// A parameter, its gradient, and what the optimizer keeps of it.
struct SteppedTensor {
  at::Tensor parameter;            ///< f32, contiguous
  at::Tensor gradient;             ///< f32, of the parameter's size
  std::vector<at::Tensor> states;  ///< changed in place
  StepRates rates;
};

/// One update of all the tensors together: every element is read and written once.
/// @param tensors on one device; states: Rule::kStates of each, f32, of the parameter's size
/// @throws ShapeError when sizes, dtypes or devices do not fit
template <class Rule>
void optimizer_step(std::span<const SteppedTensor> tensors, const Rule& rule);

/// The same with states of 8 bits, in blocks of kStepBlock elements that share a scale. A block is
/// unpacked, updated and packed again before the next one.
/// @param tensors states: for each state of the rule its codes, u8 of the parameter's size, and its
///        absmax, f32 [ceil(elements / kStepBlock)]
/// @param maps what the codes of each state stand for: [256] f32 ascending, on the tensors' device
/// @source arXiv:2110.02861; a value takes the nearest code, as in bitsandbytes' CUDA kernels
template <class Rule>
void blockwise_optimizer_step(std::span<const SteppedTensor> tensors, const Rule& rule,
                              const std::vector<at::Tensor>& maps);

}  // namespace hone::kernels
