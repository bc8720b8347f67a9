#include "checkpoint/state.h"

#include "base/error.h"
#include "base/file.h"
#include "checkpoint/checkpoints.h"
#include "checkpoint/folder_writer.h"

namespace hone::checkpoint {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kStateName = "state.json";
constexpr const char* kTrainableName = "trainable.safetensors";
constexpr const char* kOptimizerName = "optimizer.safetensors";

}  // namespace

fs::path save_state(const fs::path& run_folder, std::int64_t step, const json& about,
                    const std::vector<io::TensorView>& trainable,
                    const std::vector<io::TensorView>& optimizer, const json& more) {
  const fs::path folder = folder_of_step(run_folder, step);
  FolderWriter writer(folder);
  writer.write(kStateName, json{{"step", step}, {"about", about}}.dump(2) + "\n");
  io::write_safetensors(writer.folder() / kTrainableName, trainable, {});
  io::write_safetensors(writer.folder() / kOptimizerName, optimizer, {});
  json manifest_about = more;
  manifest_about["step"] = step;
  writer.commit(kCheckpointKind, manifest_about);
  return folder;
}

State load_state(const VerifiedFolder& verified) {
  const fs::path& folder = verified.folder;
  HONE_CHECK(CheckpointError, verified.manifest.kind == kCheckpointKind,
             "{}: holds a folder of kind '{}', not a checkpoint to resume from. Give one of the "
             "folders under the run's checkpoints/",
             folder.string(), verified.manifest.kind);
  for (const char* name : {kStateName, kTrainableName, kOptimizerName})
    HONE_CHECK(CheckpointError, verified.manifest.files.contains(name),
               "{}: its manifest does not list {}, so a run cannot resume from it", folder.string(),
               name);
  const json state = json::parse(read_file(folder / kStateName));
  return {state.at("step").get<std::int64_t>(), state.at("about"),
          io::SafetensorsFile(folder / kTrainableName),
          io::SafetensorsFile(folder / kOptimizerName)};
}

}  // namespace hone::checkpoint
