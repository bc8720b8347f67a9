#include "io/csv.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "io/jsonl.h"
#include "io/utf8.h"

namespace hone::io {
namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 20;

/// Where in a record the scan for its end stands. A quote opens only at the beginning of a field.
enum class At { kFieldStart, kPlain, kQuoted, kQuoteInQuoted };

At advance(At at, char c, char delimiter) {
  switch (at) {
    case At::kFieldStart:
      return c == '"' ? At::kQuoted : c == delimiter ? At::kFieldStart : At::kPlain;
    case At::kPlain:
      return c == delimiter ? At::kFieldStart : At::kPlain;
    case At::kQuoted:
      return c == '"' ? At::kQuoteInQuoted : At::kQuoted;
    case At::kQuoteInQuoted:
      return c == '"' ? At::kQuoted : c == delimiter ? At::kFieldStart : At::kPlain;
  }
  return at;
}

class CsvRows final : public RowReader {
 public:
  CsvRows(std::unique_ptr<ByteSource> source, std::string name, char delimiter)
      : source_(std::move(source)), name_(std::move(name)), delimiter_(delimiter) {
    read_header();
  }

  bool next(RawRow& row) override {
    if (!read_record(row)) return false;
    row.number = ++rows_;
    return true;
  }
  nlohmann::ordered_json parse(RawRow&& row) const override;
  std::string where(std::int64_t number) const override {
    return fmt::format("{}, row {}", name_, number);
  }
  const std::string& name() const override { return name_; }

 private:
  bool read_more();
  bool read_record(RawRow& record);
  std::vector<std::string> split(std::string_view record, const std::string& place) const;
  void read_header();

  std::unique_ptr<ByteSource> source_;
  std::string name_;
  char delimiter_;
  std::vector<std::string> columns_;
  std::string buffer_;  // what was read and not yet given out stands from begin_
  std::size_t begin_ = 0;
  std::int64_t next_byte_ = 0, next_line_ = 1;  // of buffer_[begin_]
  std::int64_t rows_ = 0;
};

void CsvRows::read_header() {
  while (buffer_.size() < kByteOrderMark.size() && read_more()) {
  }
  if (buffer_.starts_with(kByteOrderMark)) begin_ = kByteOrderMark.size();
  next_byte_ = static_cast<std::int64_t>(begin_);
  RawRow header;
  HONE_CHECK(DataError, read_record(header),
             "{}: the file is empty; expected a header row with the columns' names", name_);
  columns_ = split(header.line, fmt::format("{}, header", name_));
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    HONE_CHECK(DataError, !columns_[i].empty(),
               "{}: column {} of the header has no name; give it one, or leave the column out "
               "(pandas writes its index so, unless told index=False)",
               name_, i + 1);
    const auto first = std::find(columns_.begin(), columns_.end(), columns_[i]);
    HONE_CHECK(DataError, first == columns_.begin() + static_cast<std::ptrdiff_t>(i),
               "{}: columns {} and {} of the header are both named \"{}\"; rename one", name_,
               first - columns_.begin() + 1, i + 1, columns_[i]);
  }
}

bool CsvRows::read_more() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  const std::size_t old_size = buffer_.size();
  HONE_CHECK(DataError, old_size <= kMaxRowBytes,
             "{}: the row that begins in line {} has more than {} bytes; is a quote not closed?",
             name_, next_line_, kMaxRowBytes);
  buffer_.resize(old_size + kReadBytes);
  const std::size_t n = source_->read(buffer_.data() + old_size, kReadBytes);
  buffer_.resize(old_size + n);
  return n > 0;
}

/// The next record that is not an empty line, without its line end; false at the end of the file.
bool CsvRows::read_record(RawRow& record) {
  At at = At::kFieldStart;
  std::int64_t lines = 1;
  for (std::size_t i = 0;; ++i) {
    const bool is_end = begin_ + i == buffer_.size() && !read_more();
    HONE_CHECK(DataError, !is_end || at != At::kQuoted,
               "{}: the row that begins in line {} has a quote that is never closed. Close it, or "
               "write the quote twice and the field in quotes",
               name_, next_line_);
    if (is_end && i == 0) return false;
    const char c = is_end ? '\n' : buffer_[begin_ + i];
    lines += c == '\n' && at == At::kQuoted;
    if (c != '\n' || at == At::kQuoted) {
      at = advance(at, c, delimiter_);
      continue;
    }
    std::string_view text = std::string_view(buffer_).substr(begin_, i);
    record.first_byte = next_byte_;
    record.first_line = next_line_;
    begin_ += std::min(i + 1, buffer_.size() - begin_);
    next_byte_ += static_cast<std::int64_t>(i) + 1;
    next_line_ += lines;
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (!text.empty()) {
      record.line.assign(text);
      return true;
    }
    at = At::kFieldStart;
    lines = 1;
    i = static_cast<std::size_t>(-1);
  }
}

/// The fields of a record, unquoted.
std::vector<std::string> CsvRows::split(std::string_view record, const std::string& place) const {
  std::vector<std::string> fields(1);
  At at = At::kFieldStart;
  for (const char c : record) {
    const At next = advance(at, c, delimiter_);
    HONE_CHECK(
        DataError, at != At::kQuoteInQuoted || next != At::kPlain,
        "{}: after the closing quote of field {} stands '{}'; expected the next field. Write "
        "a quote inside a field twice",
        place, fields.size(), c);
    if (next == At::kFieldStart) {
      fields.emplace_back();
    } else if (next == At::kPlain || (next == At::kQuoted && at != At::kFieldStart)) {
      fields.back().push_back(c);
    }
    at = next;
  }
  return fields;
}

nlohmann::ordered_json CsvRows::parse(RawRow&& row) const {
  const std::string place = fmt::format("{} (line {})", where(row.number), row.first_line);
  if (const auto bad = first_invalid_utf8(row.line))
    throw DataError(
        fmt::format("{}: byte {} of the row (0x{:02x}) is not valid UTF-8. Save the "
                    "file as UTF-8, for example with `iconv -f latin1 -t utf-8`",
                    place, *bad, static_cast<unsigned char>(row.line[*bad])));
  std::vector<std::string> fields = split(row.line, place);
  HONE_CHECK(DataError, fields.size() == columns_.size(),
             "{}: the row has {} fields and the header {} columns; a field with a delimiter or a "
             "line end in it has to stand in quotes",
             place, fields.size(), columns_.size());
  nlohmann::ordered_json value = nlohmann::ordered_json::object();
  for (std::size_t i = 0; i < fields.size(); ++i) value[columns_[i]] = std::move(fields[i]);
  return value;
}

}  // namespace

std::unique_ptr<RowReader> open_csv_rows(std::unique_ptr<ByteSource> source, std::string name,
                                         char delimiter) {
  return std::make_unique<CsvRows>(std::move(source), std::move(name), delimiter);
}

std::string csv_field(std::string_view text, char delimiter) {
  const char special[] = {delimiter, '"', '\n', '\r', '\0'};
  if (text.find_first_of(special) == text.npos && !text.starts_with(kByteOrderMark))
    return std::string(text);
  std::string field = "\"";
  for (const char c : text) {
    if (c == '"') field.push_back('"');
    field.push_back(c);
  }
  field.push_back('"');
  return field;
}

}  // namespace hone::io
