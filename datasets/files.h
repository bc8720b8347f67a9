#pragma once

#include <string>
#include <vector>

namespace hone::datasets {

/// The files that the user named, each as a file, a folder (the files of rows right in it) or a
/// glob (`rows/*.jsonl`, `{a,b}.csv`); "-" is standard input. What one name stands for is sorted;
/// the names keep their order.
/// @throws DataError for a name that leads to nothing, saying what was looked for
std::vector<std::string> expand_files(const std::vector<std::string>& names);

}  // namespace hone::datasets
