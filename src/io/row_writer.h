#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace hone::io {

/// Writes rows into a file that appears under its name complete, or not at all.
class RowWriter {
 public:
  virtual ~RowWriter() = default;

  /// @throws DataError where the file cannot hold the row, saying why; the caller adds its place
  /// @throws IoError when writing fails
  virtual void write(const nlohmann::ordered_json& row) = 0;

  /// The file takes its place. Without it nothing is left behind.
  virtual void commit() = 0;
};

/// What the name ends in says what is written: .jsonl, .csv or .tsv, each also with .gz.
/// A table's columns are the keys of the first row; a later row may lack some, and has no others.
/// Values that are no text stand in it as JSON.
/// @throws ConfigError for another ending; IoError where the folder cannot be written
std::unique_ptr<RowWriter> create_rows(const std::filesystem::path& path);

}  // namespace hone::io
