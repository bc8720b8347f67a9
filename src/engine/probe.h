#pragma once

#include "engine/run_training.h"

namespace hone::engine {

/// Before the first step: under train.gradient_checkpointing: budget, measures the layers on the
/// shortest micro-batch and chooses those to compute again; then, under train.probe, runs the
/// longest micro-batch of the run forward and backward, unless the first step has one as long.
/// Nothing that the run's numbers depend on changes.
/// @throws Error naming the sizes where memory runs out
void probe(const TrainingRun& run);

}  // namespace hone::engine
