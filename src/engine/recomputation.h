#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "adapters/dropout.h"
#include "engine/options.h"
#include "model/recompute.h"

namespace hone::engine {

/// Which layers train.gradient_checkpointing has computed again; null where none are. Under
/// `budget` none yet: they are chosen once what layers cost has been measured.
/// @param dropout is put back to its place in the step when a layer is computed again
std::shared_ptr<const model::Recomputation> make_recomputation(
    const TrainOptions& options, std::size_t layers,
    std::shared_ptr<adapters::DropoutState> dropout);

/// What a layer of one micro-batch costs.
struct LayerCost {
  std::int64_t kept_bytes = 0;    ///< between forward and backward pass, its result included
  std::int64_t result_bytes = 0;  ///< of that, its result: what stays where it is computed again
  double forward_s = 0;           ///< what computing it again takes
};

/// The layers to compute again so that what stays, and the one layer that the backward pass is at,
/// fit into the budget: those that save most bytes a second first, and no more than needed; all of
/// them where even that is too much.
std::vector<bool> choose_layers(const std::vector<LayerCost>& costs, std::int64_t budget_bytes);

}  // namespace hone::engine
