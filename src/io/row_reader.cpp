#include "io/row_reader.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "io/byte_source.h"
#include "io/csv.h"
#include "io/json_rows.h"
#include "io/jsonl.h"
#include "io/parquet_rows.h"
#include "io/utf8.h"

namespace hone::io {
namespace {

namespace fs = std::filesystem;

enum class Kind { kJsonl, kJson, kCsv, kTsv, kParquet };

struct Container {
  Kind kind;
  std::string_view suffix, name;
};

constexpr std::array kContainers = {
    Container{Kind::kJsonl, ".jsonl", "JSONL"},  Container{Kind::kJsonl, ".ndjson", "JSONL"},
    Container{Kind::kJson, ".json", "JSON"},     Container{Kind::kCsv, ".csv", "CSV"},
    Container{Kind::kTsv, ".tsv", "TSV"},        Container{Kind::kParquet, ".parquet", "Parquet"},
    Container{Kind::kParquet, ".pq", "Parquet"},
};
constexpr std::string_view kGzipSuffix = ".gz";
constexpr std::string_view kParquetMagic = "PAR1";

/// What the name says; null: nothing.
const Container* container_named(fs::path path) {
  if (path.extension() == kGzipSuffix) path.replace_extension();
  const auto found = std::ranges::find(kContainers, path.extension().string(), &Container::suffix);
  return found == kContainers.end() ? nullptr : &*found;
}

/// The text without a byte order mark and white space before it.
std::string_view beginning(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  return text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
}

/// True where the text begins with two objects, as JSONL does, or with one that fills a line.
bool begins_like_jsonl(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
      continue;
    }
    in_string = c == '"';
    depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    if (depth == 0) return beginning(text.substr(i + 1)).starts_with('{');
  }
  return false;
}

/// How the bytes of a text container are to be read.
Kind kind_of(std::string_view head, const Container* named, const std::string& name) {
  const std::string_view text = beginning(head);
  if (named == nullptr) return text.starts_with('[') ? Kind::kJson : Kind::kJsonl;
  const bool is_table = named->kind == Kind::kCsv || named->kind == Kind::kTsv;
  HONE_CHECK(DataError, !is_table || !(text.starts_with('{') || text.starts_with("[{")),
             "{}: the name says {}, and the file begins like JSON. Name it {}", name, named->name,
             text.starts_with('{') ? ".jsonl" : ".json");
  // Many files of one object a line are named .json.
  if (named->kind == Kind::kJson && begins_like_jsonl(text)) return Kind::kJsonl;
  return named->kind;
}

std::unique_ptr<RowReader> open_text(std::unique_ptr<ByteSource> source, std::string name,
                                     const Container* named) {
  switch (kind_of(source->head(), named, name)) {
    case Kind::kJson:
      return open_json_rows(std::move(source), std::move(name));
    case Kind::kCsv:
      return open_csv_rows(std::move(source), std::move(name), ',');
    case Kind::kTsv:
      return open_csv_rows(std::move(source), std::move(name), '\t');
    default:
      return std::make_unique<JsonlReader>(std::move(source), std::move(name));
  }
}

std::unique_ptr<RowReader> open_parquet(const fs::path& path, const std::string& name,
                                        const Container* named, bool has_magic) {
  HONE_CHECK(DataError, has_magic,
             "{}: the name says Parquet, and the file does not begin as a Parquet file does "
             "(\"PAR1\"). Copy it again, or give it the name of what it is",
             name);
  HONE_CHECK(DataError, named != nullptr && named->kind == Kind::kParquet,
             "{}: the file begins as a Parquet file does, and the name says otherwise. Name it "
             ".parquet (a pipe or standard input cannot be read so: Parquet's index stands at the "
             "end)",
             name);
  return open_parquet_rows(path);
}

}  // namespace

bool is_rows_name(const fs::path& path) { return container_named(path) != nullptr; }

std::string rows_suffixes() {
  std::string suffixes;
  for (const Container& container : kContainers) suffixes += fmt::format("{}, ", container.suffix);
  return suffixes + "those of text also with .gz behind";
}

std::unique_ptr<RowReader> open_rows(const fs::path& path) {
  const std::string name = display_name(path);
  std::unique_ptr<ByteSource> source = open_bytes(path, "a file of rows");
  const Container* named = container_named(path);
  const bool has_parquet_magic = source->head().starts_with(kParquetMagic);
  if (has_parquet_magic || (named != nullptr && named->kind == Kind::kParquet))
    return open_parquet(path, name, named, has_parquet_magic);

  const bool is_packed = is_gzip(source->head());
  const bool named_packed = path.extension() == kGzipSuffix;
  HONE_CHECK(DataError, is_packed || !named_packed,
             "{}: the name says gzip, and the file does not begin as a gzip file does. Name it "
             "without .gz, or copy it again",
             name);
  HONE_CHECK(DataError, named_packed || !is_packed || path == "-",
             "{}: the file is packed by gzip, and the name does not say so. Name it {}.gz", name,
             name);
  if (is_packed) source = unpack_gzip(std::move(source), name);
  return open_text(std::move(source), name, named);
}

}  // namespace hone::io
