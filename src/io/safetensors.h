#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/file.h"
#include "io/dtype.h"

namespace hone::io {

/// One safetensors file, mapped into memory and checked whole before anything of it is used.
/// @source the safetensors format, https://huggingface.co/docs/safetensors (what its Rust library
///         checks is checked here; a name that is given twice is refused as the format says)
class SafetensorsFile {
 public:
  /// @throws DataError naming file, tensor, byte offset, expected and found: a header that lies,
  ///         sizes that do not fit, holes, overlaps, a truncated file; also for a pickle file
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  /// In the order of their bytes in the file. The views hold as long as this object.
  const std::vector<TensorView>& tensors() const { return tensors_; }

  /// nullptr where there is none of that name.
  const TensorView* find(std::string_view name) const;

 private:
  MappedFile file_;
  std::map<std::string, std::string> metadata_;
  std::vector<TensorView> tensors_;
  std::unordered_map<std::string_view, std::size_t> index_;
};

/// Writes a file byte for byte as the Rust library does (tensors by descending DType, then name;
/// the header padded to 8 bytes), metadata by key. The same arguments give the same bytes.
/// The file appears complete or not at all.
/// @throws IoError when the disk refuses; ShapeError when a view's bytes do not match its shape
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata);

/// The weights of a model: one file, or the shards that `model.safetensors.index.json` lists.
class SafetensorsSet {
 public:
  /// @param path a .safetensors file, an index, or a folder that holds model.safetensors or
  ///        model.safetensors.index.json
  /// @throws DataError naming every missing shard, or every tensor that its shard lacks; for a
  ///         folder that holds only pickle, how to convert it
  explicit SafetensorsSet(const std::filesystem::path& path);

  const std::vector<SafetensorsFile>& files() const { return files_; }

  /// All tensors, by name.
  const std::map<std::string_view, const TensorView*>& tensors() const { return tensors_; }

  /// nullptr where there is none of that name.
  const TensorView* find(std::string_view name) const;

 private:
  void open_shards(const std::filesystem::path& index_path);
  void add_all_of(const SafetensorsFile& file);

  std::vector<SafetensorsFile> files_;
  std::map<std::string_view, const TensorView*> tensors_;  // names and views lie in files_
};

/// Refuses a file whose name says pickle (.bin, .pt, .pth, .ckpt) and says how to convert it.
/// @throws DataError
void refuse_pickle(const std::filesystem::path& path);

}  // namespace hone::io
