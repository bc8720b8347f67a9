#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "checkpoint/manifest.h"
#include "engine/options.h"

namespace hone::engine {

/// How `hone train` was asked to begin.
struct ResumeRequest {
  bool asked = false;
  std::string from;  ///< "auto", or a checkpoint's folder
};

/// The checkpoint that a run is asked to go on from, verified; none where it is not asked, or where
/// its folder holds none yet. @throws CheckpointError where the one named is not whole
std::optional<checkpoint::VerifiedFolder> find_checkpoint(
    const RunOptions& options, const ResumeRequest& resume,
    const checkpoint::Verify& verify = checkpoint::verify);

/// Makes or takes over the run's folder and writes config.resolved.yaml into it.
/// @return the checkpoint to go on from, verified; none where the run starts afresh
/// @throws ConfigError where another run is in the folder and neither --resume nor
///         train.overwrite_output_dir says what should become of it
std::optional<checkpoint::VerifiedFolder> open_run_folder(
    const RunOptions& options, const ResumeRequest& resume,
    const checkpoint::Verify& verify = checkpoint::verify);

/// What a run's numbers depend on, as JSON: a checkpoint goes on only where it is the same.
/// @param world ranks of the run; their number alone changes nothing, as long as a step has as many
///        micro-batches
nlohmann::json identity_of(const RunOptions& options, const std::string& base_sha256,
                           const std::string& data_sha256, int world = 1);

}  // namespace hone::engine
