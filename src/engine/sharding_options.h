#pragma once

#include "distributed/group.h"
#include "engine/options.h"
#include "engine/trainable.h"

namespace hone::engine {

/// Refuses what needs on one rank what distributed.strategy divides among several.
/// @throws ConfigError naming both keys
void check_goes_with_sharding(const RunOptions& options, const Trainable& trainable);

/// How many ranks hold a model together under a strategy that divides it in groups.
/// @throws ConfigError where distributed.shard_size does not divide the ranks
int group_size(const distributed::DistributedOptions& options, const distributed::Group& group);

}  // namespace hone::engine
