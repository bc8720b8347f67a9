#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "io/byte_source.h"
#include "io/row_reader.h"

namespace hone::io {

/// A row beyond this is refused: such a file has no line ends, or is not JSONL.
inline constexpr std::size_t kMaxRowBytes = std::size_t{256} << 20;

/// One line of a JSONL file.
struct JsonlRow {
  std::int64_t line_number;      ///< from 1, empty lines counted
  nlohmann::ordered_json value;  ///< an object; its keys stand in the order of the file
};

/// Reads a file of one JSON object a line, row by row, in constant memory.
/// Empty lines are skipped; CRLF line ends and a byte order mark are accepted.
class JsonlReader final : public RowReader {
 public:
  /// @param path a file, a pipe, or "-" for standard input
  /// @throws DataError where there is no such file
  explicit JsonlReader(const std::filesystem::path& path);
  /// @param name what messages call the source
  JsonlReader(std::unique_ptr<ByteSource> source, std::string name);

  /// The next row, parsed; none at the end. After a DataError for a malformed row the next call
  /// goes on with the line after.
  /// @throws DataError with file:line:column, reason and excerpt for a malformed row, one that is
  ///         no object, or invalid UTF-8 (with the byte's offset in the file)
  /// @throws IoError when reading fails
  std::optional<JsonlRow> next();

  bool next(RawRow& row) override;
  nlohmann::ordered_json parse(RawRow&& row) const override;
  std::string where(std::int64_t number) const override;
  const std::string& name() const override { return name_; }

 private:
  std::optional<std::string_view> next_line();
  bool read_more();

  std::unique_ptr<ByteSource> source_;
  std::string name_;
  std::string buffer_;  // what was read and not yet given out stands from begin_
  std::size_t begin_ = 0;
  std::int64_t next_byte_ = 0;  // offset in the file of buffer_[begin_]
  std::int64_t line_number_ = 0;
  bool at_end_ = false;
};

}  // namespace hone::io
