#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datasets/columns.h"
#include "datasets/record.h"
#include "datasets/row_format.h"
#include "io/row_reader.h"

namespace hone::datasets {

/// A record and where it stands.
struct PlacedRecord {
  Record record;
  std::string where;  ///< "rows.jsonl:5"
};

/// Reads files of rows one after another, each in a format of its own, in constant memory.
class RecordReader {
 public:
  /// @param files as expand_files gives them
  /// @param format as data.format
  RecordReader(std::vector<std::string> files, std::string format, Columns columns);

  /// The next record; none at the end.
  /// @param source gets the row as it stands in its file, where it is not null
  /// @throws DataError with the place of a row that is wrong
  std::optional<PlacedRecord> next(Row* source = nullptr);

 private:
  bool next_row(io::RawRow& row);

  std::vector<std::string> files_;
  std::string format_name_;
  Columns columns_;
  std::size_t next_file_ = 0;
  std::unique_ptr<io::RowReader> reader_;
  const RowFormat* format_ = nullptr;  // of the file that is being read; null: not known yet
};

}  // namespace hone::datasets
