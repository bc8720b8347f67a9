#pragma once

#include <vector>

#include "distributed/group.h"
#include "optim/parameter.h"

namespace hone::engine {

/// Ranks begin with the same numbers, as gradients are summed and weights are not: those of the
/// first, where a decomposition rounds otherwise on another machine.
/// @throws Error where ranks train weights of other shapes
void share_start(const distributed::Group& group, const std::vector<optim::Parameter>& parameters);

}  // namespace hone::engine
