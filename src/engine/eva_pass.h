#pragma once

#include <optional>

#include "adapters/eva.h"
#include "datasets/dataset.h"
#include "datasets/sampler.h"
#include "engine/options.h"
#include "engine/run_folder.h"

namespace hone::engine {

/// What an adapter that begins by EVA begins with: the run's own micro-batches, in the run's order,
/// until the directions rest. A run that goes on takes the ranks from its checkpoint, where the
/// numbers are too.
/// @param decoder without adapters
/// @return nothing where the options do not say eva, or go on from an adapter
/// @throws ConfigError as EvaSearch; CheckpointError
std::optional<adapters::EvaStart> eva_start(const RunOptions& options, model::Decoder& decoder,
                                            const datasets::Dataset& rows,
                                            const datasets::Sampler& sampler,
                                            const ResumeRequest& resume);

}  // namespace hone::engine
