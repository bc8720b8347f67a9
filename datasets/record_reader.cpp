#include "datasets/record_reader.h"

#include <utility>

#include "base/error.h"

namespace hone::datasets {

RecordReader::RecordReader(std::vector<std::string> files, std::string format, Columns columns)
    : files_(std::move(files)), format_name_(std::move(format)), columns_(std::move(columns)) {}

bool RecordReader::next_row(io::RawRow& row) {
  while (reader_ == nullptr || !reader_->next(row)) {
    if (next_file_ == files_.size()) return false;
    reader_ = io::open_rows(files_[next_file_++]);
    format_ = nullptr;
  }
  return true;
}

std::optional<PlacedRecord> RecordReader::next(Row* source) {
  io::RawRow raw;
  if (!next_row(raw)) return std::nullopt;
  std::string where = reader_->where(raw.number);
  Row row = reader_->parse(std::move(raw));
  if (source != nullptr) *source = row;
  try {
    row = rename_columns(std::move(row), columns_);
    if (format_ == nullptr) format_ = &choose_format(row, format_name_, reader_->name());
    return PlacedRecord{to_record(std::move(row), *format_), std::move(where)};
  } catch (const DataError& error) {
    throw DataError(fmt::format("{}: {}", where, error.what()));
  }
}

}  // namespace hone::datasets
