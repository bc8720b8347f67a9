#include "io/jsonl.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "io/json_row.h"
#include "io/utf8.h"

namespace hone::io {
namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 20;

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == line.npos; }

/// The two mistakes that are made most deserve more than "syntax error".
std::string_view hint(std::string_view line, std::int64_t line_number) {
  if (line_number == 1 && line.find_first_not_of(" \t") == line.find('['))
    return ". The file begins like one JSON array; a JSONL file has one object a line: `jq -c "
           "'.[]' FILE > FILE.jsonl` makes one";
  if (line_number == 1 && line.substr(line.find_first_not_of(" \t")) == "{")
    return ". The object goes on over several lines; a JSONL file has one object a line: `jq -c . "
           "FILE > FILE.jsonl` makes one";
  return "";
}

}  // namespace

JsonlReader::JsonlReader(const std::filesystem::path& path)
    : JsonlReader(open_bytes(path, "a JSONL file"), display_name(path)) {}

JsonlReader::JsonlReader(std::unique_ptr<ByteSource> source, std::string name)
    : source_(std::move(source)), name_(std::move(name)) {}

bool JsonlReader::read_more() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  HONE_CHECK(DataError, buffer_.size() <= kMaxRowBytes,
             "{}:{}: the line has more than {} bytes. A JSONL file has one JSON object a line",
             name_, line_number_ + 1, kMaxRowBytes);
  const std::size_t old_size = buffer_.size();
  buffer_.resize(old_size + kReadBytes);
  const std::size_t n = source_->read(buffer_.data() + old_size, kReadBytes);
  buffer_.resize(old_size + n);
  return n > 0;
}

/// The view holds until the next call.
std::optional<std::string_view> JsonlReader::next_line() {
  std::size_t searched = 0;
  std::size_t end = 0;
  while ((end = buffer_.find('\n', begin_ + searched)) == buffer_.npos && !at_end_) {
    searched = buffer_.size() - begin_;
    at_end_ = !read_more();
  }
  if (end == buffer_.npos) end = buffer_.size();
  if (begin_ == buffer_.size()) return std::nullopt;
  const std::string_view line = std::string_view(buffer_).substr(begin_, end - begin_);
  begin_ = std::min(end + 1, buffer_.size());
  next_byte_ += static_cast<std::int64_t>(line.size()) + 1;
  ++line_number_;
  return line;
}

bool JsonlReader::next(RawRow& row) {
  while (std::optional<std::string_view> line = next_line()) {
    row.first_byte = next_byte_ - static_cast<std::int64_t>(line->size()) - 1;
    if (line_number_ == 1 && line->starts_with(kByteOrderMark)) {
      line->remove_prefix(kByteOrderMark.size());
      row.first_byte += static_cast<std::int64_t>(kByteOrderMark.size());
    }
    if (line->ends_with('\r')) line->remove_suffix(1);
    if (is_blank(*line)) continue;
    row.number = row.first_line = line_number_;
    row.line.assign(*line);
    return true;
  }
  return false;
}

nlohmann::ordered_json JsonlReader::parse(RawRow&& row) const {
  try {
    nlohmann::ordered_json value =
        parse_json_row(row.line, {name_, row.first_line, row.first_byte});
    HONE_CHECK(DataError, value.is_object(), "{}: the row is {}, expected an object {{...}}",
               where(row.number), value.type_name());
    return value;
  } catch (const DataError& error) {
    throw DataError(fmt::format("{}{}", error.what(), hint(row.line, row.number)));
  }
}

std::string JsonlReader::where(std::int64_t number) const {
  return fmt::format("{}:{}", name_, number);
}

std::optional<JsonlRow> JsonlReader::next() {
  RawRow row;
  if (!next(row)) return std::nullopt;
  const std::int64_t number = row.number;
  return JsonlRow{number, parse(std::move(row))};
}

}  // namespace hone::io
