#include "io/json_rows.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "io/json.h"
#include "io/json_row.h"
#include "io/jsonl.h"
#include "io/utf8.h"

namespace hone::io {
namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 20;
constexpr char kEnd = '\0';

/// Cuts a document into the texts of its values, without looking into them.
class JsonCutter {
 public:
  JsonCutter(std::unique_ptr<ByteSource> source, const std::string& name)
      : source_(std::move(source)), name_(name) {
    while (buffer_.size() < kByteOrderMark.size() && read_more()) {
    }
    if (buffer_.starts_with(kByteOrderMark)) consume(kByteOrderMark.size());
  }

  /// The next character that is no white space, not taken yet; kEnd where there is none.
  char peek() {
    for (;;) {
      const std::size_t end = buffer_.find_first_not_of(" \t\r\n", begin_);
      consume(std::min(end, buffer_.size()) - begin_);
      if (begin_ < buffer_.size()) return buffer_[begin_];
      if (!read_more()) return kEnd;
    }
  }

  bool take_if(char c) {
    const bool is_there = peek() == c;
    if (is_there) consume(1);
    return is_there;
  }

  void expect(char c, std::string_view what) {
    if (!take_if(c)) refuse(what);
  }

  /// The bytes of the value that comes next, as long as its brackets and quotes are.
  void take_value(RawRow& row) {
    peek();
    row.first_line = line_;
    row.first_byte = byte_;
    const std::size_t size = value_size();
    row.line.assign(buffer_, begin_, size);
    consume(size);
  }

  [[noreturn]] void refuse(std::string_view expected) {
    const char c = peek();
    if (c == kEnd)
      throw DataError(
          fmt::format("{}:{}: the JSON document is cut short: it ends where {} is "
                      "expected. Copy or write it again",
                      name_, line_, expected));
    throw DataError(
        fmt::format("{}:{}: expected {}, got '{}' at byte {}", name_, line_, expected, c, byte_));
  }

  std::int64_t line() const { return line_; }

 private:
  std::size_t value_size() {
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0;; ++i) {
      while (begin_ + i >= buffer_.size()) {
        if (read_more()) continue;
        HONE_CHECK(DataError, depth == 0 && !in_string,
                   "{}: the JSON document is cut short: the value that begins in line {} has no "
                   "end. Copy or write it again",
                   name_, line_);
        return buffer_.size() - begin_;
      }
      const char c = buffer_[begin_ + i];
      if (in_string) {
        if (c == '\\') ++i;
        in_string = c != '"';
      } else if (c == '"') {
        in_string = true;
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (depth == 0 && (c == ',' || c == ':' || c == ']' || c == '}')) {
        return i;
      } else if (c == '}' || c == ']') {
        if (--depth == 0) return i + 1;
      }
    }
  }

  bool read_more() {
    buffer_.erase(0, begin_);
    begin_ = 0;
    HONE_CHECK(DataError, buffer_.size() <= kMaxRowBytes,
               "{}: the value that begins in line {} has more than {} bytes; expected an array of "
               "rows",
               name_, line_, kMaxRowBytes);
    const std::size_t old_size = buffer_.size();
    buffer_.resize(old_size + kReadBytes);
    buffer_.resize(old_size + source_->read(buffer_.data() + old_size, kReadBytes));
    return buffer_.size() > old_size;
  }

  void consume(std::size_t n) {
    const auto first = buffer_.begin() + static_cast<std::ptrdiff_t>(begin_);
    line_ += std::count(first, first + static_cast<std::ptrdiff_t>(n), '\n');
    begin_ += n;
    byte_ += static_cast<std::int64_t>(n);
  }

  std::unique_ptr<ByteSource> source_;
  std::string name_;
  std::string buffer_;  // what was read and not yet taken stands from begin_
  std::size_t begin_ = 0;
  std::int64_t byte_ = 0, line_ = 1;  // of buffer_[begin_]
};

class JsonRows final : public RowReader {
 public:
  JsonRows(std::unique_ptr<ByteSource> source, std::string name)
      : name_(std::move(name)), cutter_(std::move(source), name_) {}

  bool next(RawRow& row) override {
    if (!started_) start();
    if (in_array_ && take_row(row)) return true;
    while (in_object_ && !in_array_ && next_key()) {
      HONE_CHECK(DataError, !in_array_ || array_key_.empty() || array_key_ == key_,
                 "{}:{}: the document has arrays of rows under \"{}\" and \"{}\"; keep one of them "
                 "in the file",
                 name_, cutter_.line(), array_key_, key_);
      if (!in_array_) continue;
      array_key_ = key_;
      log::verbose("{}: the rows stand under \"{}\"", name_, key_);
      if (take_row(row)) return true;
    }
    finish();
    return false;
  }

  nlohmann::ordered_json parse(RawRow&& row) const override {
    nlohmann::ordered_json value =
        parse_json_row(row.line, {name_, row.first_line, row.first_byte});
    HONE_CHECK(DataError, value.is_object(),
               "{} (line {}): the row is {}, expected an object {{...}}", where(row.number),
               row.first_line, value.type_name());
    return value;
  }

  std::string where(std::int64_t number) const override {
    return fmt::format("{}, row {}", name_, number);
  }

  const std::string& name() const override { return name_; }

 private:
  void start() {
    started_ = true;
    in_array_ = cutter_.take_if('[');
    in_object_ = !in_array_ && cutter_.take_if('{');
    if (!in_array_ && !in_object_ && cutter_.peek() != kEnd)
      cutter_.refuse("an array of rows, or an object that holds one");
    first_ = true;
  }

  /// False at the end of the array.
  bool take_row(RawRow& row) {
    if (cutter_.take_if(']')) return in_array_ = false;
    if (!std::exchange(first_, false)) cutter_.expect(',', "',' or ']' after a row");
    if (cutter_.peek() == ']' || cutter_.peek() == kEnd) cutter_.refuse("another row");
    cutter_.take_value(row);
    row.number = ++rows_;
    return true;
  }

  /// Goes to the value of the object's next key: into it where it is an array of objects, else past
  /// it. False at the end of the object.
  bool next_key() {
    if (cutter_.take_if('}')) return in_object_ = false;
    if (!std::exchange(first_key_, false)) cutter_.expect(',', "',' or '}'");
    if (cutter_.peek() != '"') cutter_.refuse("a key in quotes");
    RawRow value;
    cutter_.take_value(value);
    key_ = parse_json(value.line, {name_, value.first_line, value.first_byte});
    cutter_.expect(':', "':' after a key");
    if (cutter_.peek() != '[') {
      cutter_.take_value(value);
      return true;
    }
    enter_array();
    return true;
  }

  void enter_array() {
    cutter_.expect('[', "an array");
    in_array_ = first_ = true;
    if (cutter_.peek() == '{') return;
    const std::int64_t rows_before = rows_;
    RawRow row;
    while (take_row(row)) {
    }
    rows_ = rows_before;
  }

  void finish() {
    HONE_CHECK(DataError, rows_ > 0 || key_.empty(),
               "{}: the document is one object without an array of rows; expected [{{...}}, ...], "
               "or an object with such an array. One object a line is JSONL: name it .jsonl",
               name_);
    if (cutter_.peek() != kEnd) cutter_.refuse("the end of the document");
  }

  std::string name_;
  JsonCutter cutter_;
  bool started_ = false, in_array_ = false, in_object_ = false;
  bool first_ = true, first_key_ = true;  // nothing of the array or object was taken yet
  std::string key_, array_key_;           // read last, and of the array of rows
  std::int64_t rows_ = 0;
};

}  // namespace

std::unique_ptr<RowReader> open_json_rows(std::unique_ptr<ByteSource> source, std::string name) {
  return std::make_unique<JsonRows>(std::move(source), std::move(name));
}

}  // namespace hone::io
