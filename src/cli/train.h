#pragma once

#include "config/load.h"
#include "engine/run_training.h"

namespace hone::cli {

/// Runs the trainer that train.method names, from set-up to product.
ExitCode run_trainer(const config::Loaded<engine::RunOptions>& config,
                     const engine::Placement& placement, const engine::ResumeRequest& resume);

}  // namespace hone::cli
