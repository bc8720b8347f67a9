#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/hash.h"
#include "io/hdf5.h"

namespace hone::datasets {

/// Items of one dataset of a cache file, written in blocks, each with its SHA-256.
class BlockWriter {
 public:
  /// @param name the dataset's; hashes go into NAME_sha256
  BlockWriter(io::Hdf5File& file, const std::string& name, const io::Hdf5Type& type);

  void append(const void* items, std::int64_t count);
  std::int64_t size() const { return size_; }

  /// Writes the last block and the hashes. @return the SHA-256 of all the blocks' hashes
  std::string finish();

 private:
  void flush();

  io::Hdf5File& file_;
  std::string name_;
  std::size_t item_bytes_;
  io::Hdf5Dataset dataset_;
  std::string pending_;  // items of the block that is not full yet
  std::string hashes_;
  std::int64_t size_ = 0;
};

/// Reads them back. A block is read whole and held to its hash before anything of it is given out
/// for the first time; after that only the items asked for are read. Any thread may read.
class BlockReader {
 public:
  /// @param hash what BlockWriter::finish gave
  /// @throws CacheError where the hashes are not those
  BlockReader(const io::Hdf5File& file, const std::string& name, const io::Hdf5Type& type,
              std::int64_t size, const std::string& hash);

  std::int64_t size() const { return dataset_.size(); }
  std::int64_t block_items() const { return block_items_; }

  /// @throws CacheError where a block is not what was written
  void read(std::int64_t first, std::int64_t count, void* items) const;
  void verify_all() const;

 private:
  void verify(std::int64_t block) const;

  std::string name_;
  std::size_t item_bytes_;
  std::int64_t block_items_;
  io::Hdf5Dataset dataset_;
  std::string hashes_;
  std::unique_ptr<std::atomic<bool>[]> is_verified_;
};

}  // namespace hone::datasets
