#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "datasets/dataset.h"
#include "io/hdf5.h"

namespace hone::datasets {

/// What a cache file says of itself.
struct CacheManifest {
  std::string key;
  DatasetInfo info;
  RowTotals totals;
  bool is_narrow = false;               ///< ids are u16, else i32
  std::array<std::int64_t, 4> sizes{};  ///< items of ids, runs, values, rows
  std::array<std::string, 4> hashes{};  ///< what BlockWriter::finish gave for them
};

void write_manifest(const CacheManifest& manifest, io::Hdf5File& file);

/// @throws DataError where it is missing, altered or of another version
CacheManifest read_manifest(const io::Hdf5File& file);

}  // namespace hone::datasets
