#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "checkpoint/folder_writer.h"
#include "checkpoint/manifest.h"
#include "checkpoint/pieces.h"

namespace hone::checkpoint {

/// What a run needs to go on as if it had never stopped. All else is a function of the step.
struct State {
  std::int64_t step = 0;  ///< optimizer steps done
  nlohmann::json about;   ///< seed, hashes of config, data and base, ...: for the caller to check
  StoredTensors trainable, optimizer;
};

/// A checkpoint under way. One process holds it; where ranks keep parts of tensors, each of them
/// writes its own into folder() (see write_parts), and this commits what all have written.
class StateWriter {
 public:
  /// @throws IoError when its folder cannot be made
  StateWriter(const std::filesystem::path& run_folder, std::int64_t step);

  /// Where the files belong until the commit.
  const std::filesystem::path& folder() const { return writer_.folder(); }
  /// Writes state.json, trainable.safetensors and optimizer.safetensors: what is whole.
  void write(const nlohmann::json& about, const std::vector<io::TensorView>& trainable,
             const std::vector<io::TensorView>& optimizer) const;
  /// @param more of the manifest's `about`, beside the step
  /// @param parts what write_parts() gave, of all ranks
  /// @return the folder; @throws IoError
  std::filesystem::path commit(const nlohmann::json& more, const Manifest::Files& parts = {});

 private:
  std::int64_t step_;
  std::filesystem::path destination_;
  FolderWriter writer_;
};

/// What one rank keeps of the tensors that are shared out.
struct RankParts {
  PiecesOf of;
  std::vector<Piece> trainable, optimizer;
};

/// Writes them to `trainable.rank-RRRR-of-WWWW.safetensors` and `optimizer.rank-…`, flushed; no
/// file where there are none.
/// @param folder of the StateWriter
/// @throws IoError
Manifest::Files write_parts(const std::filesystem::path& folder, const RankParts& parts);

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
