#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"
#include "datasets/dataset.h"

namespace hone::datasets {

/// A cache file that is not what was written: cut, altered, or of another version. It can be made
/// anew from the rows.
class CacheError : public DataError {
 public:
  using DataError::DataError;
};

/// Writes the rows of a data set into a new HDF5 file, in constant memory:
///
///   ids       u16 or i32, the tokens of all rows end to end
///   runs      (end, weight, response, document) stretches of a row's tokens that weigh alike
///   values    f32, what the rows say of their answers
///   rows      one record a row: where its ids, runs and values begin, and its RowFacts
///   manifest  JSON: versions, key, files with their hashes, counts, totals
///
/// The first four are cut into blocks of kBlockBytes. The SHA-256 of each block stands in
/// NAME_sha256, theirs in the manifest, and its in the attribute `sha256`: whoever knows that one
/// knows the file.
class TokenCacheWriter {
 public:
  /// @param vocab_size ids are below it; 0: not known
  /// @throws IoError
  TokenCacheWriter(const std::filesystem::path& path, std::int64_t vocab_size,
                   std::vector<std::int32_t> stop_ids);
  ~TokenCacheWriter();

  /// @throws IoError where the disk is full or fails
  void add(const Example& example);
  std::int64_t rows() const;

  /// Writes the rest and closes the file. Until then it is no cache. @throws IoError
  void finish(const std::string& key, const DatasetInfo& info);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Bytes of a block: what is read and hashed when a row of it is looked at for the first time.
inline constexpr std::int64_t kBlockBytes = std::int64_t{128} << 10;

/// Opens a cache. Memory does not grow with the tokens, only by the rows' lengths. The records of
/// the rows are checked against their hashes now, the rest when a row of their block is read
/// for the first time.
/// @param key   what the file has to be for
/// @param files the names that messages call the files of rows; they may have moved
/// @throws CacheError where the file is damaged or not for this key; so may Dataset::example later,
///         which removes the file, so that the next start makes it anew
Dataset open_token_cache(const std::filesystem::path& path, const std::string& key,
                         std::vector<std::string> files);

/// Checks every block of a cache. @throws CacheError with the place of the first damage
void verify_token_cache(const std::filesystem::path& path);

}  // namespace hone::datasets
