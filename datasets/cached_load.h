#pragma once

#include <filesystem>

#include "datasets/tokenise.h"

namespace hone::datasets {

/// Opens the cache of these rows in `folder`, and makes it first where it is missing, damaged or
/// not of these rows. Of several processes that want it at once one makes it and the others wait;
/// one that dies leaves the work to the next. What a dead one left is removed, never read.
/// @throws DataError as load() does, and where a file of rows changes while it is read
/// @throws IoError where the folder cannot be written or its disk is full
Dataset load_through_cache(const std::filesystem::path& folder, const LoadRequest& request);

/// The file that load_through_cache would open or make.
std::filesystem::path cache_path(const std::filesystem::path& folder, const LoadRequest& request);

}  // namespace hone::datasets
