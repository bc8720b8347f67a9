#pragma once

#include "checkpoint/manifest.h"
#include "engine/session.h"

namespace hone::engine {

// Ranks that train together call these together.

/// Makes the session what the checkpoint's was. Later checkpoints of the run's folder, which the
/// run would now overtake, are set aside.
/// @throws CheckpointError naming every setting in which the two runs differ, or tensors that do
///         not fit
void load_checkpoint(const checkpoint::VerifiedFolder& checkpoint, Session& session);

/// Puts a checkpoint's weights and moments into the session, which stays where it is in the data.
/// @throws CheckpointError
void load_weights(const checkpoint::VerifiedFolder& checkpoint, Session& session);

/// Weights and moments of the newest valid checkpoint that checkpoint.save_steps made, or of the
/// run's start. Those that signals made do not count, so that a run that was stopped rolls back as
/// one that never was. A checkpoint of another folder that the run went on from is its start, and
/// the one that it went on from the last resort where its folder has none of these.
/// @return the checkpoint's step
/// @throws CheckpointError where there is none
std::int64_t roll_back(Session& session);

}  // namespace hone::engine
