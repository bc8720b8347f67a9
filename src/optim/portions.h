#pragma once

#include <functional>

#include "optim/method.h"

namespace hone::optim {

/// Elements of a portion: what is widened, or fetched from the host, at a time. Fixed, and whole
/// blocks of everything that is counted in blocks.
inline constexpr std::int64_t kPortion = std::int64_t{1} << 20;

/// Calls `use` with each portion of a slot in turn and with the place of its first element. All
/// tensors of it are flat views of the slot's.
/// @pre the slot's rule is `by_element`; each state has a number an element, or one a block of
///      kernels::kStepBlock
void for_portions(const Slot& slot,
                  const std::function<void(const Slot& portion, std::int64_t first)>& use);

}  // namespace hone::optim
