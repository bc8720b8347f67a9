#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/safetensors.h"

namespace hone::checkpoint {

/// A run of a tensor's elements, on its way to a file: from `begin` of the whole laid flat.
struct Piece {
  io::TensorView view;              ///< flat; its name is the whole's
  std::vector<std::int64_t> shape;  ///< of the whole
  std::int64_t begin = 0;
};

/// What a rank's file of pieces belongs to.
struct PiecesOf {
  std::int64_t step = 0;
  int rank = 0, world = 1;
};

/// "trainable.rank-0001-of-0004.safetensors"
std::string name_of_pieces(std::string_view kind, const PiecesOf& of);

/// Writes pieces and, in the file's metadata, their places. @throws IoError
void write_pieces(const std::filesystem::path& path, const std::vector<Piece>& pieces,
                  const PiecesOf& of);

/// A tensor of a checkpoint, in one file or in pieces over several.
struct StoredTensor {
  struct Run {
    std::int64_t begin, size;  ///< elements of the whole laid flat
    const std::byte* data;
    std::size_t file;  ///< its index among the files
  };
  std::string name;
  io::DType dtype;
  std::vector<std::int64_t> shape;
  std::vector<Run> runs;  ///< without holes, from the first element to the last

  std::int64_t elements() const;
  /// Copies elements [begin, begin + count) of the tensor laid flat; of mapped files no other page
  /// is touched. @pre they are among its elements
  void read(std::int64_t begin, std::int64_t count, void* to) const;
};

/// All tensors of one kind that a checkpoint holds, mapped: they hold as long as this object.
class StoredTensors {
 public:
  /// @param kind "trainable": the files are trainable.safetensors and trainable.rank-….safetensors
  /// @param names of the files in `folder`
  /// @throws CheckpointError naming the file: one of another step or number of ranks, elements that
  ///         are in two files or in none, pieces of one name that do not belong together
  StoredTensors(const std::filesystem::path& folder, std::string_view kind,
                const std::vector<std::string>& names, std::int64_t step);

  using ByName = std::map<std::string, StoredTensor, std::less<>>;
  const ByName& tensors() const { return tensors_; }
  /// nullptr where there is none of that name.
  const StoredTensor* find(std::string_view name) const;
  /// The first of its files, for messages.
  const std::filesystem::path& path() const { return files_.front().path(); }

 private:
  struct Placed;
  void add_file(std::int64_t step);
  void add(const Placed& piece);
  void check_whole(StoredTensor& tensor) const;
  std::string files_that_are_not_there() const;

  std::vector<io::SafetensorsFile> files_;
  std::string kind_;
  int world_ = 0;  ///< ranks that pieces are of; 0: there are none
  ByName tensors_;
};

}  // namespace hone::checkpoint
