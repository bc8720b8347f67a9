#include "engine/reference_cache.h"

#include "base/error.h"
#include "base/file.h"
#include "base/file_lock.h"
#include "base/hash.h"
#include "base/log.h"
#include "datasets/files.h"
#include "io/hdf5.h"

namespace hone::engine {
namespace {

namespace fs = std::filesystem;

std::string hash_of(const std::vector<float>& numbers) {
  return Sha256().update(numbers.data(), numbers.size() * sizeof(float)).hex();
}

/// Nothing where the file is not what was written. @param tells whether that is spoken of
std::optional<std::vector<float>> read(const fs::path& path, const std::string& key,
                                       std::int64_t documents, bool tells) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return std::nullopt;
  try {
    const io::Hdf5File file = io::Hdf5File::open(path);
    const io::Hdf5Dataset dataset = file.dataset("logps", io::Hdf5Type::of(io::Hdf5Number::kF32));
    HONE_CHECK(DataError, file.attribute("key") == key && dataset.size() == documents,
               "it is of {} documents for the key {}, expected {} for {}", dataset.size(),
               file.attribute("key"), documents, key);
    std::vector<float> numbers(static_cast<std::size_t>(documents));
    dataset.read(0, documents, numbers.data());
    HONE_CHECK(DataError, hash_of(numbers) == file.attribute("sha256"),
               "its numbers are not what was written");
    return numbers;
  } catch (const DataError& error) {
    if (tells)
      log::warn("{}: the reference cache is damaged: {}; it is made anew", path.string(),
                error.what());
    return std::nullopt;
  }
}

void write(const fs::path& path, const std::string& key, const std::vector<float>& numbers) {
  fs::path temporary = path;
  temporary.replace_extension(".tmp");
  io::Hdf5File file = io::Hdf5File::create(temporary);
  file.add_dataset("logps", io::Hdf5Type::of(io::Hdf5Number::kF32))
      .append(numbers.data(), std::ssize(numbers));
  file.set_attribute("sha256", hash_of(numbers));
  file.set_attribute("key", key);
  file.close();
  publish_file(temporary, path);
}

}  // namespace

ReferenceCache::ReferenceCache(const fs::path& folder, const std::string& key,
                               std::int64_t documents,
                               const std::function<std::vector<float>()>& compute) {
  make_folder(folder);
  const fs::path path = folder / (key + ".h5");
  auto found = read(path, key, documents, /*tells=*/false);
  if (!found) {
    const FileLock lock = FileLock::take(folder / (key + ".lock"));
    found = read(path, key, documents, /*tells=*/true);  // another one may have made it since
    if (!found) {
      found = compute();
      HONE_ASSERT(std::ssize(*found) == documents, "{} of {}", found->size(), documents);
      write(path, key, *found);
    }
  }
  logps_ = *std::move(found);
}

std::string content_of(const datasets::Dataset& data) {
  Sha256 hash;
  const auto add = [&](const auto& numbers) {
    const auto size = static_cast<std::uint64_t>(numbers.size());
    hash.update(&size, sizeof size);
    hash.update(numbers.data(), numbers.size() * sizeof(numbers[0]));
  };
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const datasets::Example example = data.example(i);
    add(example.ids);
    add(example.weights);
    add(example.document_ends);
  }
  return hash.hex();
}

std::optional<fs::path> reference_cache_folder(const std::string& option) {
  if (option == "off") return std::nullopt;
  if (option != "auto") return option;
  const auto folder = datasets::user_cache_folder("reference");
  if (!folder)
    log::warn(
        "reference_cache: auto: the system names no cache folder, so nothing is kept; name a "
        "folder");
  return folder;
}

}  // namespace hone::engine
