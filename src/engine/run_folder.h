#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "checkpoint/manifest.h"
#include "engine/options.h"
#include "engine/trainable.h"
#include "optim/optimizer.h"

namespace hone::engine {

/// How `hone train` was asked to begin.
struct ResumeRequest {
  bool asked = false;
  std::string from;  ///< "auto", or a checkpoint's folder
};

/// Makes or takes over the run's folder and writes config.resolved.yaml into it.
/// @return the checkpoint to go on from, verified; none where the run starts afresh
/// @throws ConfigError where another run is in the folder and neither --resume nor
///         train.overwrite_output_dir says what should become of it
std::optional<checkpoint::VerifiedFolder> open_run_folder(const RunOptions& options,
                                                          const ResumeRequest& resume);

/// What a run's numbers depend on, as JSON: a checkpoint goes on only where it is the same.
nlohmann::json identity_of(const RunOptions& options, const std::string& base_sha256,
                           const std::string& data_sha256);

/// Saves masters, moments and step number as checkpoints/step-N, and lets old checkpoints go.
/// @param own what the trainer keeps beside these, with the masters in the file
/// @param origin see Session::origin()
void save_checkpoint(const RunOptions& options, std::int64_t step, const Trainable& trainable,
                     const optim::NamedTensors& own, const optim::Optimizer& optimizer,
                     const nlohmann::json& identity, const nlohmann::json& origin);

/// Puts a checkpoint's numbers into the masters and moments. Later checkpoints of the run's folder,
/// which the run would now overtake, are set aside.
/// @return the step it was saved after
/// @throws CheckpointError naming every setting in which the two runs differ, or tensors that do
///         not fit
std::int64_t load_checkpoint(const checkpoint::VerifiedFolder& checkpoint,
                             const RunOptions& options, const Trainable& trainable,
                             const optim::NamedTensors& own, optim::Optimizer& optimizer,
                             const nlohmann::json& identity);

}  // namespace hone::engine
