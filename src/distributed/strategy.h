#pragma once

#include <span>
#include <string_view>

#include "distributed/group.h"

namespace hone::distributed {

/// What ranks divide among themselves besides the micro-batches, each with what stands before it.
enum class Divides { kNothing, kStates, kGradients, kWeights };

/// A way to divide a run among ranks, as distributed.strategy names it.
struct Strategy {
  std::string_view name;
  std::string_view help;  ///< for `hone explain`, as a sentence without its end
  Divides divides;
  bool in_groups;  ///< each group of ranks divides everything, and the groups have the same
  /// Null where gradients are divided. Once a step, when each rank has the gradient of its own
  /// micro-batches: makes `.grad()` of the parameters the sum over all ranks. A parameter that no
  /// rank has a gradient of gets zeros.
  /// @param parameters f32 leaves, the same on all ranks
  void (*reduce_gradients)(const Group& group, std::span<const Tensor> parameters);
  /// Whether OverlappedSum may do the same during the backward pass, where there is much to send.
  bool overlaps = false;
};

std::span<const Strategy> strategies();

/// @throws ConfigError where there is none of that name
const Strategy& strategy_named(std::string_view name);

}  // namespace hone::distributed
