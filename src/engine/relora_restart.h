#pragma once

#include "engine/session.h"

namespace hone::engine {

/// @throws ConfigError where the optimizer's state is in a form that cannot be pruned, or where its
///         averages would go across restarts
void check_can_restart(const Trainable& trainable, const optim::Optimizer& optimizer,
                       const optim::OptimOptions& options);

/// Before a step: the restart of ReLoRA that is due, and what the optimizer forgets by it: of the
/// adapter's matrices the share of the numbers whose first moment is smallest, in all moments.
/// @source arXiv:2307.05695, section 3; magnitude pruning as Axolotl's relora_prune_ratio
void restart_where_due(Session& session, std::int64_t step);

}  // namespace hone::engine
