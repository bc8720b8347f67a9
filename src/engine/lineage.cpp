#include "engine/lineage.h"

#include <fmt/format.h>

#include "base/error.h"
#include "checkpoint/checkpoints.h"

namespace hone::engine {

namespace fs = std::filesystem;
using nlohmann::json;

// What is not there reads as what a struct begins with, so that an older lineage stays readable.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Input, name, path, sha256)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(DataInput, name, license, rows, tokens,
                                                trained_tokens, patterns, files)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(CodeVersion, hone, commit, libtorch)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Machine, cpu_model, device, precision, weights,
                                                threads)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Resumption, step, checkpoint, manifest_sha256,
                                                config, code)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Parent, relation, path, files, lineage)

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Lineage, made_by, made_at, folder, base, tokenizer,
                                                chat_template, data, config, code, machine,
                                                resumptions, parents)

json as_json(const Lineage& lineage) { return lineage; }

Lineage lineage_from(const json& document) try {
  return document.get<Lineage>();
} catch (const json::exception& error) {
  throw CheckpointError(fmt::format("a lineage cannot be read: {}", error.what()));
}

MadeFolder read_made_folder(const fs::path& path) {
  HONE_CHECK(DataError, fs::is_directory(path), "{}: is no folder", path.string());
  fs::path folder = path;
  for (const char* product : {"", "adapter", "model"})
    if (fs::exists(path / product / checkpoint::kManifestName)) folder = path / product;
  if (folder == path && !fs::exists(path / checkpoint::kManifestName)) {
    const auto newest = checkpoint::newest_valid(path);
    HONE_CHECK(DataError, newest,
               "{}: has no {}; expected a checkpoint, an adapter or a model that hone wrote, or a "
               "run's folder",
               path.string(), checkpoint::kManifestName);
    folder = newest->folder;
  }
  const checkpoint::Manifest manifest = checkpoint::read_manifest(folder);
  HONE_CHECK(DataError, manifest.about.contains(kLineageKey),
             "{}: says nothing of where it came from; it was written by an older hone",
             (folder / checkpoint::kManifestName).string());
  return {folder, manifest.kind, manifest.about, lineage_from(manifest.about[kLineageKey])};
}

}  // namespace hone::engine
