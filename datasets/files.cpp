#include "datasets/files.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "io/row_reader.h"

namespace hone::datasets {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> files_of_folder(const std::string& folder) {
  std::vector<std::string> files, others;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.')) continue;
    const bool has_rows = !entry.is_directory() && io::is_rows_name(name);
    (has_rows ? files : others).push_back(has_rows ? entry.path().string() : name);
  }
  std::ranges::sort(files);
  std::ranges::sort(others);
  HONE_CHECK(DataError, !files.empty(),
             "{}: the folder has no file of rows ({}); it has {}. Sub-folders are not searched: "
             "name them, or give a glob such as {}/*/*.jsonl",
             folder, io::rows_suffixes(),
             others.empty() ? "nothing" : fmt::format("{}", fmt::join(others, ", ")), folder);
  return files;
}

std::vector<std::string> expand(const std::string& name) {
  std::error_code ignored;
  if (fs::is_directory(name, ignored)) return files_of_folder(name);
  if (name == "-" || fs::exists(name, ignored)) return {name};
  HONE_CHECK(DataError, name.find_first_of("*?[{") != name.npos,
             "{}: there is no such file or folder. Check the path", name);
  std::vector<std::string> files = files_matching(name);
  HONE_CHECK(DataError, !files.empty(), "{}: no file matches the pattern. Check the path", name);
  return files;
}

}  // namespace

std::vector<std::string> expand_files(const std::vector<std::string>& names) {
  std::vector<std::string> files;
  for (const std::string& name : names)
    for (std::string& file : expand(name)) files.push_back(std::move(file));
  return files;
}

std::optional<fs::path> user_cache_folder(const std::string& kind) {
  if (const char* base = std::getenv("XDG_CACHE_HOME"); base != nullptr && *base == '/')
    return fs::path(base) / "hone" / kind;
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/')
    return fs::path(home) / ".cache" / "hone" / kind;
  return std::nullopt;
}

}  // namespace hone::datasets
