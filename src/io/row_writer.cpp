#include "io/row_writer.h"

#include <zlib.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "io/csv.h"

namespace hone::io {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

/// Bytes into a file, packed where asked for.
class ByteSink {
 public:
  ByteSink(const fs::path& path, bool packed) : file_(path), packed_(packed) {
    if (packed_)
      HONE_ASSERT(deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 16 + MAX_WBITS, 8,
                               Z_DEFAULT_STRATEGY) == Z_OK);
  }
  ~ByteSink() {
    if (packed_) deflateEnd(&stream_);
  }
  ByteSink(const ByteSink&) = delete;
  ByteSink& operator=(const ByteSink&) = delete;

  void write(std::string_view text) {
    buffer_ += text;
    if (buffer_.size() >= kBufferBytes) flush(false);
  }

  void commit() {
    flush(true);
    file_.commit();
  }

 private:
  void flush(bool last) {
    if (packed_) {
      pack(last ? Z_FINISH : Z_NO_FLUSH);
    } else {
      file_.write(buffer_);
    }
    buffer_.clear();
  }

  void pack(int mode) {
    std::vector<char> out(kBufferBytes);
    stream_.next_in = reinterpret_cast<Bytef*>(buffer_.data());
    stream_.avail_in = static_cast<uInt>(buffer_.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(out.data());
      stream_.avail_out = static_cast<uInt>(out.size());
      HONE_ASSERT(deflate(&stream_, mode) != Z_STREAM_ERROR);
      file_.write(out.data(), out.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

  AtomicFile file_;
  bool packed_;
  z_stream stream_{};
  std::string buffer_;
};

class JsonlWriter final : public RowWriter {
 public:
  JsonlWriter(const fs::path& path, bool packed) : sink_(path, packed) {}
  void write(const Json& row) override { sink_.write(row.dump() + "\n"); }
  void commit() override { sink_.commit(); }

 private:
  ByteSink sink_;
};

class TableWriter final : public RowWriter {
 public:
  TableWriter(const fs::path& path, bool packed, char delimiter)
      : sink_(path, packed), delimiter_(delimiter) {}

  void write(const Json& row) override {
    if (columns_.empty()) write_header(row);
    for (const auto& item : row.items())
      HONE_CHECK(DataError, std::ranges::find(columns_, item.key()) != columns_.end(),
                 "the row has a key \"{}\", which the first one has not, so the table has no "
                 "column for it. Write .jsonl",
                 item.key());
    std::vector<std::string> fields;
    for (const std::string& column : columns_) {
      const auto found = row.find(column);
      const bool is_empty = found == row.end() || found->is_null();
      fields.push_back(is_empty             ? ""
                       : found->is_string() ? found->get<std::string>()
                                            : found->dump());
    }
    write_line(fields);
  }

  void commit() override { sink_.commit(); }

 private:
  void write_header(const Json& row) {
    for (const auto& item : row.items()) columns_.push_back(item.key());
    HONE_CHECK(DataError, !columns_.empty(), "the row is empty, so the table has no columns");
    write_line(columns_);
  }

  void write_line(const std::vector<std::string>& fields) {
    std::string line;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (i > 0) line.push_back(delimiter_);
      line += csv_field(fields[i], delimiter_);
    }
    // A single empty field would be an empty line, which readers pass over.
    sink_.write(line.empty() ? "\"\"\n" : line + "\n");
  }

  ByteSink sink_;
  char delimiter_;
  std::vector<std::string> columns_;
};

}  // namespace

std::unique_ptr<RowWriter> create_rows(const fs::path& path) {
  const bool packed = path.extension() == ".gz";
  const fs::path ending = (packed ? path.stem() : path).extension();
  if (ending == ".jsonl") return std::make_unique<JsonlWriter>(path, packed);
  if (ending == ".csv") return std::make_unique<TableWriter>(path, packed, ',');
  if (ending == ".tsv") return std::make_unique<TableWriter>(path, packed, '\t');
  throw ConfigError(
      fmt::format("{}: rows are written as .jsonl, .csv or .tsv, each also with .gz; "
                  "choose one of these names",
                  path.string()));
}

}  // namespace hone::io
