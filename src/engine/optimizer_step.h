#pragma once

#include <functional>

#include "engine/batch.h"
#include "engine/run_book.h"
#include "engine/session.h"

namespace hone::engine {

/// What a micro-batch adds to the loss of its optimizer step: a scalar that gradient flows through.
/// The sum over the step's micro-batches is the step's loss, so whatever it is a mean over has been
/// counted over the whole step before.
using LossOf = std::function<Tensor(const DeviceBatch& batch)>;

inline constexpr std::int64_t kProbeStep = 0;

/// One optimizer step: the loss of each micro-batch and its gradient, the method's own penalty,
/// clipping, the guard's look at it, the update. Dropout is on while `loss_of` runs. Of ranks that
/// share a step each computes its own micro-batches, and all take the same update.
/// @param step from 1, or kProbeStep: then nothing changes, and the rows are session.feed's probe
/// @param share_prompts as to_device has it
/// @throws Error where the guard stops the run, or where memory runs out, naming the micro-batch;
///         Interrupted; the weights are as they were before
StepReport optimizer_step(Session& session, std::int64_t step, const datasets::StepFeed::Step& rows,
                          const LossOf& loss_of, bool share_prompts = false);

}  // namespace hone::engine
