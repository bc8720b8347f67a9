#include "datasets/load.h"

#include <unistd.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "datasets/cached_load.h"
#include "datasets/file_hashes.h"
#include "datasets/files.h"
#include "datasets/tokenise.h"

namespace hone::datasets {
namespace {

namespace fs = std::filesystem;

Dataset load_into_memory(const LoadRequest& request) {
  DatasetInfo info;
  info.files = request.files;
  info.stop_ids = request.tools.stop_ids;
  std::vector<Example> examples;
  info.counts = tokenise(request, [&](Example example) {
    examples.push_back(std::move(example));
    return true;
  });
  info.sha256 = content_hash(hash_files(request.files, ""));
  return in_memory(std::move(info), std::move(examples));
}

bool can_write_in(const fs::path& folder) {
  try {
    make_folder(folder);
    return ::access(folder.c_str(), W_OK | X_OK) == 0;
  } catch (const IoError&) {
    return false;
  }
}

}  // namespace

std::optional<fs::path> cache_folder(const std::vector<std::string>& files,
                                     const DataOptions& options) {
  if (options.cache == "off") return std::nullopt;
  if (options.cache != "auto") return options.cache;
  if (bytes_of(expand_files(files)) < kSmallDataBytes) return std::nullopt;
  const std::optional<fs::path> folder = user_cache_folder("tokens");
  if (folder && can_write_in(*folder)) return folder;
  log::warn(
      "data.cache: auto: {} cannot be written, so the rows are kept in memory; name a folder "
      "with data.cache",
      folder ? folder->string() : "the user's cache folder");
  return std::nullopt;
}

std::vector<std::pair<std::string, std::string>> files_and_hashes(
    const std::vector<std::string>& files, const DataOptions& options) {
  const std::vector<std::string> found = expand_files(files);
  const std::optional<fs::path> folder = cache_folder(found, options);
  const std::vector<std::string> hashes =
      hash_files(found, folder ? *folder / kHashMemory : fs::path());
  std::vector<std::pair<std::string, std::string>> pairs;
  for (std::size_t i = 0; i < found.size(); ++i) pairs.emplace_back(found[i], hashes[i]);
  return pairs;
}

Dataset load(const std::vector<std::string>& files, const DataOptions& options,
             const TextTools& tools, std::int64_t context_length, const LoadSettings& settings) {
  HONE_CHECK(DataError, !files.empty(), "there is no file of rows; name some in data.train");
  const std::vector<std::string> found = expand_files(files);
  const LoadRequest request = {found, options, tools, context_length, settings};
  const std::optional<fs::path> folder = cache_folder(found, options);
  Dataset dataset = folder ? load_through_cache(*folder, request) : load_into_memory(request);
  for (const std::string& line : describe_changes(dataset.counts())) log::warn("{}", line);
  return dataset;
}

}  // namespace hone::datasets
