#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "checkpoint/manifest.h"

namespace hone::checkpoint {

/// What is wrong with the files that a manifest lists, each read in full: one text for each that is
/// missing, of another size or of another SHA-256. Files that are not listed may be there.
std::vector<std::string> problems_of(const std::filesystem::path& folder, const Manifest& manifest);

}  // namespace hone::checkpoint
