#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace hone::io {

/// A row as it stands in its container. One that is text is parsed later, by any thread.
struct RawRow {
  std::int64_t number = 0;       ///< from 1: the line of a JSONL file, else the place of the row
  std::string line;              ///< what is still to be parsed; its bytes are not looked at yet
  std::int64_t first_line = 0;   ///< of the file: where `line` begins
  std::int64_t first_byte = 0;   ///< of the file: where `line` begins
  nlohmann::ordered_json value;  ///< the row of a container that is no text (Parquet); else null
};

/// Gives the rows of one container in its order. Reading is sequential; `parse` and `where` may be
/// called from several threads while another one reads.
class RowReader {
 public:
  virtual ~RowReader() = default;

  /// The next row into `row`; false at the end. Constant memory.
  /// @throws DataError where the container itself is broken (cut short, a line without end), naming
  ///         the file and the place; nothing more can be read then
  /// @throws IoError when reading fails
  virtual bool next(RawRow& row) = 0;

  /// The row as an object, its keys in the order of the file.
  /// @throws DataError with the row's place, reason and excerpt where it is malformed or no object;
  ///         the other rows are still good
  virtual nlohmann::ordered_json parse(RawRow&& row) const = 0;

  /// The place of a row for messages: "rows.jsonl:5", or "rows.parquet, row 5".
  virtual std::string where(std::int64_t number) const = 0;

  /// What messages call the container: its path, or "<stdin>".
  virtual const std::string& name() const = 0;
};

/// Opens a file of rows. What it is, its name and its first bytes say: JSONL, JSON, CSV, TSV, each
/// also packed by gzip, or Parquet. Without one of their names it is JSON or JSONL.
/// @param path a file, a pipe, or "-" for standard input
/// @throws DataError where there is no such file, or name and bytes say different things
std::unique_ptr<RowReader> open_rows(const std::filesystem::path& path);

/// True where the name is that of a file of rows.
bool is_rows_name(const std::filesystem::path& path);

/// The names' endings, for messages.
std::string rows_suffixes();

}  // namespace hone::io
