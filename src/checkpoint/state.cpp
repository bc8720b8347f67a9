#include "checkpoint/state.h"

#include "base/error.h"
#include "base/file.h"
#include "checkpoint/checkpoints.h"

namespace hone::checkpoint {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kStateName = "state.json";
constexpr const char *kTrainable = "trainable", *kOptimizer = "optimizer";
constexpr const char* kTrainableName = "trainable.safetensors";
constexpr const char* kOptimizerName = "optimizer.safetensors";

}  // namespace

StateWriter::StateWriter(const fs::path& run_folder, std::int64_t step)
    : step_(step), destination_(folder_of_step(run_folder, step)), writer_(destination_) {}

void StateWriter::write(const json& about, const std::vector<io::TensorView>& trainable,
                        const std::vector<io::TensorView>& optimizer) const {
  writer_.write(kStateName, json{{"step", step_}, {"about", about}}.dump(2) + "\n");
  io::write_safetensors(folder() / kTrainableName, trainable, {});
  io::write_safetensors(folder() / kOptimizerName, optimizer, {});
}

fs::path StateWriter::commit(const json& more, const Manifest::Files& parts) {
  json about = more;
  about["step"] = step_;
  writer_.commit(kCheckpointKind, about, parts);
  return destination_;
}

Manifest::Files write_parts(const fs::path& folder, const RankParts& parts) {
  Manifest::Files files;
  for (const auto& [kind, pieces] :
       {std::pair(kTrainable, &parts.trainable), std::pair(kOptimizer, &parts.optimizer)}) {
    if (pieces->empty()) continue;
    const std::string name = name_of_pieces(kind, parts.of);
    write_pieces(folder / name, *pieces, parts.of);
    files[name] = flush_file(folder / name);
  }
  return files;
}

fs::path save_state(const fs::path& run_folder, std::int64_t step, const json& about,
                    const std::vector<io::TensorView>& trainable,
                    const std::vector<io::TensorView>& optimizer, const json& more) {
  StateWriter writer(run_folder, step);
  writer.write(about, trainable, optimizer);
  return writer.commit(more);
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
  const auto step = state.at("step").get<std::int64_t>();
  std::vector<std::string> names;
  for (const auto& [name, file] : verified.manifest.files) names.push_back(name);
  return {step, state.at("about"), StoredTensors(folder, kTrainable, names, step),
          StoredTensors(folder, kOptimizer, names, step)};
}

}  // namespace hone::checkpoint
