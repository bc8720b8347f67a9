#pragma once

#include "kernels/optimizer_step/optimizer_step.h"
#include "optim/method.h"

namespace hone::optim {

enum class Decay {
  kDecoupled,  ///< the weight shrinks by learning rate · decay
  kL2,         ///< decay · weight is added to the gradient
};

/// The slots as the kernel takes them.
std::vector<kernels::SteppedTensor> kernel_slots(std::span<const Slot> slots, Decay decay);

/// The options as the kernel takes them. @param step counted from 1
kernels::AdamRule adam_arithmetic(std::int64_t step, const OptimOptions& options);
kernels::LionRule lion_arithmetic(const OptimOptions& options);

}  // namespace hone::optim
