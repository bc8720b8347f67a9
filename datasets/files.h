#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace hone::datasets {

/// The files that the user named, each as a file, a folder (the files of rows right in it) or a
/// glob (`rows/*.jsonl`, `{a,b}.csv`); "-" is standard input. What one name stands for is sorted;
/// the names keep their order.
/// @throws DataError for a name that leads to nothing, saying what was looked for
std::vector<std::string> expand_files(const std::vector<std::string>& names);

/// Where the user's caches of a kind lie: $XDG_CACHE_HOME/hone/KIND, else ~/.cache/hone/KIND;
/// nothing where the system says neither.
std::optional<std::filesystem::path> user_cache_folder(const std::string& kind);

}  // namespace hone::datasets
