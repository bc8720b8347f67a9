#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "checkpoint/manifest.h"
#include "io/safetensors.h"

namespace hone::checkpoint {

/// What a run needs to go on as if it had never stopped. All else is a function of the step.
struct State {
  std::int64_t step = 0;  ///< optimizer steps done
  nlohmann::json about;   ///< seed, hashes of config, data and base, ...: for the caller to check
  io::SafetensorsFile trainable;  ///< mapped: its views hold as long as this object
  io::SafetensorsFile optimizer;
};

/// Writes `RUN/checkpoints/step-N` with state.json, trainable.safetensors, optimizer.safetensors
/// and the manifest; tensors keep every bit. It is there whole or not at all, and what was there
/// before stays until then.
/// @param trainable, optimizer views of raw bytes on the CPU; either may be empty
/// @param more of the manifest's `about`, beside the step
/// @return the folder
/// @throws IoError naming path and reason when the disk is full or fails
std::filesystem::path save_state(const std::filesystem::path& run_folder, std::int64_t step,
                                 const nlohmann::json& about,
                                 const std::vector<io::TensorView>& trainable,
                                 const std::vector<io::TensorView>& optimizer,
                                 const nlohmann::json& more = nlohmann::json::object());

/// @param verified from `newest_valid`, or from `verify` for a folder that the user named
/// @throws CheckpointError where the folder is whole but not a checkpoint of a run
State load_state(const VerifiedFolder& verified);

}  // namespace hone::checkpoint
