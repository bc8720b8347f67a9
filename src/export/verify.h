#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "checkpoint/manifest.h"

namespace hone::exporting {

/// An export's manifest, and what is wrong with its files.
struct VerifiedExport {
  checkpoint::Manifest manifest;
  /// One text each: a file that is missing, of another size or content (tokenizers and templates
  /// are named as such), or that the manifest does not know.
  std::vector<std::string> problems;
};

/// Reads every file of an export.
/// @throws CheckpointError where the manifest is missing or altered
/// @throws DataError where the folder is another one of hone's
VerifiedExport verify_export(const std::filesystem::path& folder);

}  // namespace hone::exporting
