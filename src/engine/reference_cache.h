#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "datasets/dataset.h"

namespace hone::engine {

/// A number for each document of a data set, kept in an HDF5 file between runs:
///
///   logps     f32, of each row's documents, row after row
///   sha256    attribute, of the content of `logps`
///   key       attribute, what the file is for
///
/// Of several processes that want a file at once one makes it and the others wait.
class ReferenceCache {
 public:
  /// Opens the file of that key in `folder`; where it is missing, damaged or of another size, has
  /// `compute` make the numbers and writes it, whole or not at all.
  /// @param documents how many numbers there are
  /// @throws IoError where the folder cannot be written
  ReferenceCache(const std::filesystem::path& folder, const std::string& key,
                 std::int64_t documents, const std::function<std::vector<float>()>& compute);

  const std::vector<float>& logps() const { return logps_; }

 private:
  std::vector<float> logps_;
};

/// SHA-256 over the tokens and weights of all rows: the content that a reference's numbers depend
/// on.
std::string content_of(const datasets::Dataset& data);

/// The folder that `reference_cache` means; nothing for off, or where auto finds none.
std::optional<std::filesystem::path> reference_cache_folder(const std::string& option);

}  // namespace hone::engine
