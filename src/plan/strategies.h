#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "plan/plan.h"

namespace hone::plan {

/// What a way to divide a run among ranks (distributed.strategy) leaves whole on each of them.
struct Strategy {
  std::string_view name;
  bool shards_weights = false;  ///< frozen and trained ones; a unit is gathered while it is used
  bool shards_gradients = false;
  bool shards_moments = false;
  bool within_node = false;  ///< parts lie on the ranks of one node, and nodes hold the same
};

std::span<const Strategy> strategies();

/// @throws ConfigError where there is none of that name
const Strategy& strategy_named(std::string_view name);

/// Whether so many ranks can be divided so: the ranks of a node, where parts lie on these, divide
/// all (as distributed.shard_size).
bool can_divide(const Strategy& strategy, std::int64_t ranks, std::int64_t ranks_per_node);

/// What each of `ranks` holds of a plan's run. With sharded weights that is its part and two
/// gathered units: the one that computes and the one that is fetched ahead.
Memory memory_per_rank(const Plan& plan, const Strategy& strategy, std::int64_t ranks,
                       std::int64_t ranks_per_node);

/// When ranks exchange something, and what it can hide behind.
enum class When {
  kForward,       ///< in the forward pass of every micro-batch
  kBackward,      ///< in the backward pass of every micro-batch
  kLastBackward,  ///< in the backward pass of the last micro-batch
  kAfter,         ///< once the gradients are there: hides behind nothing
};

/// Which ranks take part.
enum class Over { kAll, kNode, kNodes };

/// One kind of exchange in a step, all its collectives together.
struct Transfer {
  When when;
  Over over;
  double bytes = 0;        ///< that each rank sends
  double hops = 0;         ///< messages that wait for one another
  double collectives = 0;  ///< that this is cut into
};

/// What a rank sends in a step by rings: an all-reduce of B bytes over n ranks takes 2(n − 1)/n · B
/// and 2(n − 1) hops, a gathering or a scattering half of both.
/// @param trains_adapter its gradients are one all-reduce behind the backward pass
std::vector<Transfer> transfers(const Plan& plan, const Strategy& strategy, std::int64_t ranks,
                                std::int64_t ranks_per_node);

/// Sum of what `transfers` sends.
double sent_bytes(const std::vector<Transfer>& transfers);

}  // namespace hone::plan
