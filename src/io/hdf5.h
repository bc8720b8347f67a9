#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace hone::io {

enum class Hdf5Number { kU8, kU16, kI32, kI64, kF32, kF64 };

/// What an item of a dataset is: one number, or a record of several with a name each.
struct Hdf5Type {
  struct Field {
    std::string name;
    Hdf5Number number;
    std::size_t offset;  ///< bytes from the record's begin
  };
  std::size_t size_bytes = 0;
  std::vector<Field> fields;  ///< a single one without a name: the item is that number

  static Hdf5Type of(Hdf5Number number);
};

/// How a dataset lies in its file.
struct Hdf5Layout {
  std::int64_t chunk_items = 65536;
  int deflate = 0;  ///< zlib's level, after shuffling bytes; 0: as it is
};

/// A sequence of items that grows at its end. Copies are cheap and stand for the same dataset.
class Hdf5Dataset {
 public:
  std::int64_t size() const;

  /// @param items `count` items as they stand in memory
  /// @throws IoError where the disk is full or fails
  void append(const void* items, std::int64_t count);

  /// @throws DataError where the file has no such items, or cannot give them
  void read(std::int64_t first, std::int64_t count, void* items) const;

 private:
  friend class Hdf5File;
  struct State;
  explicit Hdf5Dataset(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

/// An HDF5 file over the C API, which any other HDF5 tool reads. Safe from many threads, one at a
/// time: HDF5 itself is not, so every call here waits for its turn. HDF5's own messages on stderr
/// are off; what goes wrong is an exception that names the file and HDF5's reason. Nothing in a
/// file depends on when it was written.
class Hdf5File {
 public:
  /// A new file, in the place of what was there. @throws IoError
  static Hdf5File create(const std::filesystem::path& path);
  /// An existing one, to read. @throws DataError where it is no HDF5 file, or damaged
  static Hdf5File open(const std::filesystem::path& path);

  Hdf5Dataset add_dataset(const std::string& name, const Hdf5Type& type,
                          const Hdf5Layout& layout = {});
  /// @throws DataError where there is none of that name, or its items are no `type`
  Hdf5Dataset dataset(const std::string& name, const Hdf5Type& type) const;

  /// Attributes of the file's root.
  void set_attribute(const std::string& name, const std::string& text);
  /// @throws DataError where there is none, or it is no text
  std::string attribute(const std::string& name) const;

  /// Hands everything to the operating system and closes the file; datasets are of no use then.
  /// Without it the destructor closes, and says nothing of what fails. @throws IoError
  void close();

 private:
  friend class Hdf5Dataset;
  struct State;
  explicit Hdf5File(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace hone::io
