#include "export/verify.h"

#include "base/error.h"

namespace hone::exporting {
namespace {

namespace fs = std::filesystem;

/// What a changed file means to who serves the folder.
std::string meaning_of(const std::string& problem) {
  for (const char* name : {"tokenizer.json", "tokenizer.model", "tokenizer_config.json",
                           "special_tokens_map.json", "vocab.json", "merges.txt"})
    if (problem.starts_with(name)) return problem + " (another tokenizer than was trained with)";
  if (problem.starts_with("chat_template"))
    return problem + " (another chat template than was trained with)";
  return problem;
}

}  // namespace

VerifiedExport verify_export(const fs::path& folder) {
  HONE_CHECK(DataError, fs::is_directory(folder), "{}: is no folder", folder.string());
  HONE_CHECK(CheckpointError, fs::exists(folder / checkpoint::kManifestName),
             "{}: has no {}, so it is no export, or one that was not written to its end or has "
             "lost files; `hone export` writes it again",
             folder.string(), checkpoint::kManifestName);
  VerifiedExport found{checkpoint::read_manifest(folder), {}};
  HONE_CHECK(DataError, found.manifest.kind == "export",
             "{}: is a {} of hone's, not an export; `hone export` makes one", folder.string(),
             found.manifest.kind);
  for (const std::string& problem : checkpoint::problems_of_share(folder, found.manifest, 0, 1))
    found.problems.push_back(meaning_of(problem));
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_directory()) continue;
    const std::string name = entry.path().lexically_relative(folder).string();
    if (name != checkpoint::kManifestName && found.manifest.files.count(name) == 0)
      found.problems.push_back(name + ": is not of this export");
  }
  return found;
}

}  // namespace hone::exporting
