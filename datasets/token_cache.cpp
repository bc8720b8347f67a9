#include "datasets/token_cache.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "datasets/cache_blocks.h"
#include "datasets/cache_format.h"
#include "datasets/cache_manifest.h"

namespace hone::datasets {
namespace {

/// The rows of an open cache file.
class CachedRows : public RowStore {
 public:
  CachedRows(const std::filesystem::path& path, const io::Hdf5File& file,
             const CacheManifest& manifest)
      : path_(path),
        is_narrow_(manifest.is_narrow),
        ids_(file, "ids", id_type(is_narrow_), manifest.sizes[0], manifest.hashes[0]),
        runs_(file, "runs", run_type(), manifest.sizes[1], manifest.hashes[1]),
        values_(file, "values", value_type(), manifest.sizes[2], manifest.hashes[2]),
        rows_(file, "rows", row_type(), manifest.sizes[3], manifest.hashes[3]) {}

  Example example(std::int64_t i) const override {
    return or_remove<Example>([&] { return read_example(i); });
  }
  RowFacts facts(std::int64_t i) const override {
    return or_remove<RowFacts>([&] { return facts_of(row(i)); });
  }

  /// Tokens of every row, from their records, all of which it checks.
  std::vector<std::int64_t> lengths() const {
    std::vector<std::int64_t> lengths;
    lengths.reserve(static_cast<std::size_t>(rows_.size()));
    std::vector<StoredRow> block(static_cast<std::size_t>(rows_.block_items()));
    for (std::int64_t first = 0; first < rows_.size(); first += rows_.block_items()) {
      const std::int64_t count = std::min(rows_.block_items(), rows_.size() - first);
      rows_.read(first, count, block.data());
      for (std::int64_t i = 0; i < count; ++i)
        lengths.push_back(block[static_cast<std::size_t>(i)].length);
    }
    return lengths;
  }

  void verify() const {
    ids_.verify_all();
    runs_.verify_all();
    values_.verify_all();
    rows_.verify_all();
  }

 private:
  StoredRow row(std::int64_t i) const {
    StoredRow row;
    rows_.read(i, 1, &row);
    return row;
  }

  Example read_example(std::int64_t i) const {
    const StoredRow stored = row(i);
    Example example;
    example.file = stored.file;
    example.row = stored.row;
    example.straddling_tokens = stored.straddling_tokens;
    example.prompt_differs = stored.prompt_differs != 0;
    example.ids = read_ids(stored.first_id, stored.length);
    std::vector<Run> runs(static_cast<std::size_t>(stored.runs));
    runs_.read(stored.first_run, stored.runs, runs.data());
    set_runs(runs, example);
    example.values.resize(static_cast<std::size_t>(stored.values));
    values_.read(stored.first_value, stored.values, example.values.data());
    return example;
  }

  std::vector<std::int32_t> read_ids(std::int64_t first, std::int64_t count) const {
    std::vector<std::int32_t> ids(static_cast<std::size_t>(count));
    if (!is_narrow_) {
      ids_.read(first, count, ids.data());
      return ids;
    }
    thread_local std::vector<std::uint16_t> narrow;
    narrow.resize(ids.size());
    ids_.read(first, count, narrow.data());
    std::copy(narrow.begin(), narrow.end(), ids.begin());
    return ids;
  }

  /// A damaged file is of no use to anyone: without it the next start makes it anew.
  template <class Result, class Read>
  Result or_remove(Read read) const {
    try {
      return read();
    } catch (const DataError& error) {
      std::error_code code;
      const bool is_removed = std::filesystem::remove(path_, code);
      throw CacheError(
          fmt::format("{}: the token cache is damaged: {}. {}", path_.string(), error.what(),
                      is_removed ? "It was removed; run again, and it is made anew from the rows"
                                 : "Remove it and run again, and it is made anew from the rows"));
    }
  }

  std::filesystem::path path_;
  bool is_narrow_;
  BlockReader ids_, runs_, values_, rows_;
};

/// Runs `read`; what goes wrong in it is the file's fault, and named.
template <class Read>
auto as_cache_error(const std::filesystem::path& path, Read read) {
  try {
    return read();
  } catch (const InputError& error) {
    throw CacheError(fmt::format("{}: the token cache is damaged or of another version: {}",
                                 path.string(), error.what()));
  }
}

}  // namespace

Dataset open_token_cache(const std::filesystem::path& path, const std::string& key,
                         std::vector<std::string> files) {
  return as_cache_error(path, [&] {
    const io::Hdf5File file = io::Hdf5File::open(path);
    CacheManifest manifest = read_manifest(file);
    HONE_CHECK(CacheError, manifest.key == key, "it is for the key {}, expected {}", manifest.key,
               key);
    HONE_CHECK(CacheError, manifest.info.files.size() == files.size(),
               "it is of {} files, expected {}", manifest.info.files.size(), files.size());
    manifest.info.files = std::move(files);
    const auto rows = std::make_shared<const CachedRows>(path, file, manifest);
    return Dataset(std::move(manifest.info), manifest.totals, rows->lengths(), rows);
  });
}

void verify_token_cache(const std::filesystem::path& path) {
  as_cache_error(path, [&] {
    const io::Hdf5File file = io::Hdf5File::open(path);
    CachedRows(path, file, read_manifest(file)).verify();
    return true;
  });
}

}  // namespace hone::datasets
