#include "datasets/cached_load.h"

#include <utility>

#include "base/file.h"
#include "base/file_lock.h"
#include "base/log.h"
#include "datasets/cache_key.h"
#include "datasets/file_hashes.h"
#include "datasets/token_cache.h"
#include "datasets/tokenise.h"

namespace hone::datasets {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTemporary = ".tmp", kLock = ".lock";

struct Wanted {
  std::string key;
  std::vector<std::string> hashes;  // of the request's files
  fs::path path, temporary, lock;
};

Wanted wanted(const fs::path& folder, const LoadRequest& request) {
  Wanted wanted;
  wanted.hashes = hash_files(request.files, folder / kHashMemory);
  wanted.key = cache_key(request.files, wanted.hashes, request.options, request.tools,
                         request.context_length);
  wanted.path = folder / (wanted.key + ".h5");
  wanted.temporary = folder / (wanted.key + std::string(kTemporary));
  wanted.lock = folder / (wanted.key + std::string(kLock));
  return wanted;
}

/// @param tells whether a damaged one is spoken of
std::optional<Dataset> open_if_good(const Wanted& wanted, const std::vector<std::string>& files,
                                    bool tells) {
  std::error_code ignored;
  if (!fs::exists(wanted.path, ignored)) return std::nullopt;
  try {
    return open_token_cache(wanted.path, wanted.key, files);
  } catch (const CacheError& error) {
    if (tells) log::warn("{}; it is made anew", error.what());
    return std::nullopt;
  }
}

/// Removes the file of a lock that nobody holds. It is litter, not an obstacle: where it cannot be
/// removed it stays.
void remove_if_free(const fs::path& lock) {
  std::error_code ignored;
  if (!fs::exists(lock, ignored)) return;
  try {
    FileLock::try_take(lock);
  } catch (const IoError& error) {
    log::verbose("{}", error.what());
  }
}

/// What processes left that died while they made a cache: files that nobody holds the lock of.
void remove_leftovers(const fs::path& folder, const fs::path& own) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    const fs::path& path = entry.path();
    if (path.extension() != kTemporary || path == own) continue;
    if (const auto lock = FileLock::try_take(fs::path(path).replace_extension(kLock))) {
      std::error_code ignored;
      fs::remove(path, ignored);
    }
  }
}

/// Removes a file that did not become what it was to be.
struct Removal {
  const fs::path& path;
  ~Removal() {
    std::error_code ignored;
    fs::remove(path, ignored);
  }
};

std::vector<FileIdentity> identities_of(const std::vector<std::string>& files) {
  std::vector<FileIdentity> identities;
  for (const std::string& file : files) identities.push_back(identity_of(file));
  return identities;
}

/// @param before what the files were when their hashes were taken
void make(const Wanted& wanted, const LoadRequest& request,
          const std::vector<FileIdentity>& before) {
  const Removal removal{wanted.temporary};
  const TextTools& tools = request.tools;
  DatasetInfo info;
  info.files = request.files;
  info.sha256 = content_hash(wanted.hashes);
  TokenCacheWriter writer(wanted.temporary, tools.vocab_size, tools.stop_ids);
  info.counts = tokenise(request, [&](const Example& example) {
    writer.add(example);
    return true;
  });
  HONE_CHECK(DataError, identities_of(request.files) == before,
             "the data files changed while they were read; run again once they rest");
  writer.finish(wanted.key, info);
  publish_file(wanted.temporary, wanted.path);
}

}  // namespace

fs::path cache_path(const fs::path& folder, const LoadRequest& request) {
  return wanted(folder, request).path;
}

Dataset load_through_cache(const fs::path& folder, const LoadRequest& request) {
  make_folder(folder);
  const std::vector<FileIdentity> before = identities_of(request.files);
  const Wanted wanted = datasets::wanted(folder, request);
  if (auto dataset = open_if_good(wanted, request.files, /*tells=*/false)) {
    remove_if_free(wanted.lock);  // its maker may have died before it could
    return *std::move(dataset);
  }
  std::optional<FileLock> lock = FileLock::try_take(wanted.lock);
  if (!lock) {
    log::info("data    another process is making the token cache; waiting for it");
    lock.emplace(FileLock::take(wanted.lock));
  }
  // Another one may have made it since.
  if (auto dataset = open_if_good(wanted, request.files, /*tells=*/true))
    return *std::move(dataset);
  remove_leftovers(folder, wanted.temporary);
  make(wanted, request, before);
  return open_token_cache(wanted.path, wanted.key, request.files);
}

}  // namespace hone::datasets
