#include "datasets/cache_blocks.h"

#include <algorithm>

#include "datasets/token_cache.h"

namespace hone::datasets {
namespace {

constexpr std::int64_t kHashBytes = 32;

std::int64_t items_of_block(std::size_t item_bytes) {
  return kBlockBytes / static_cast<std::int64_t>(item_bytes);
}

std::int64_t blocks_of(std::int64_t items, std::int64_t block_items) {
  return (items + block_items - 1) / block_items;
}

const io::Hdf5Type& byte_type() {
  static const io::Hdf5Type type = io::Hdf5Type::of(io::Hdf5Number::kU8);
  return type;
}

}  // namespace

BlockWriter::BlockWriter(io::Hdf5File& file, const std::string& name, const io::Hdf5Type& type)
    : file_(file),
      name_(name),
      item_bytes_(type.size_bytes),
      dataset_(file.add_dataset(name, type, {.chunk_items = items_of_block(item_bytes_)})) {}

void BlockWriter::append(const void* items, std::int64_t count) {
  const char* bytes = static_cast<const char*>(items);
  std::size_t left = static_cast<std::size_t>(count) * item_bytes_;
  const std::size_t block_bytes =
      static_cast<std::size_t>(items_of_block(item_bytes_)) * item_bytes_;
  while (left > 0) {
    const std::size_t taken = std::min(left, block_bytes - pending_.size());
    pending_.append(bytes, taken);
    bytes += taken;
    left -= taken;
    if (pending_.size() == block_bytes) flush();
  }
  size_ += count;
}

void BlockWriter::flush() {
  if (pending_.empty()) return;
  dataset_.append(pending_.data(), static_cast<std::int64_t>(pending_.size() / item_bytes_));
  hashes_ += Sha256().update(pending_).bytes();
  pending_.clear();
}

std::string BlockWriter::finish() {
  flush();
  file_.add_dataset(name_ + "_sha256", byte_type(), {.chunk_items = kBlockBytes})
      .append(hashes_.data(), std::ssize(hashes_));
  return sha256_hex(hashes_);
}

BlockReader::BlockReader(const io::Hdf5File& file, const std::string& name,
                         const io::Hdf5Type& type, std::int64_t size, const std::string& hash)
    : name_(name),
      item_bytes_(type.size_bytes),
      block_items_(items_of_block(item_bytes_)),
      dataset_(file.dataset(name, type)) {
  const std::int64_t blocks = blocks_of(size, block_items_);
  const io::Hdf5Dataset hashes = file.dataset(name + "_sha256", byte_type());
  HONE_CHECK(CacheError, dataset_.size() == size && hashes.size() == blocks * kHashBytes,
             "{} has {} items in {} blocks, expected {} in {}", name_, dataset_.size(),
             hashes.size() / kHashBytes, size, blocks);
  hashes_.resize(static_cast<std::size_t>(hashes.size()));
  hashes.read(0, hashes.size(), hashes_.data());
  HONE_CHECK(CacheError, sha256_hex(hashes_) == hash, "{}_sha256 is not what was written", name_);
  is_verified_ = std::make_unique<std::atomic<bool>[]>(static_cast<std::size_t>(blocks));
}

void BlockReader::verify(std::int64_t block) const {
  std::atomic<bool>& is_verified = is_verified_[static_cast<std::size_t>(block)];
  if (is_verified) return;
  const std::int64_t first = block * block_items_;
  const std::int64_t count = std::min(block_items_, size() - first);
  thread_local std::string bytes;
  bytes.resize(static_cast<std::size_t>(count) * item_bytes_);
  dataset_.read(first, count, bytes.data());
  const std::string_view expected =
      std::string_view(hashes_).substr(static_cast<std::size_t>(block * kHashBytes), kHashBytes);
  HONE_CHECK(CacheError, Sha256().update(bytes).bytes() == expected,
             "block {} of {} is not what was written", block, name_);
  is_verified = true;
}

void BlockReader::verify_all() const {
  for (std::int64_t block = 0; block * block_items_ < size(); ++block) verify(block);
}

void BlockReader::read(std::int64_t first, std::int64_t count, void* items) const {
  HONE_CHECK(CacheError, first >= 0 && count >= 0 && count <= size() - first,
             "{} has {} items, and {} to {} are asked for", name_, size(), first, first + count);
  if (count == 0) return;
  for (std::int64_t block = first / block_items_; block * block_items_ < first + count; ++block)
    verify(block);
  dataset_.read(first, count, items);
}

}  // namespace hone::datasets
