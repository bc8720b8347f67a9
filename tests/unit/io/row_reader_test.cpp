#include "io/row_reader.h"

#include <zlib.h>

#include "base/error.h"
#include "io/row_writer.h"
#include "support/support.h"

namespace hone::io {
namespace {

using test::contains;
using test::message_of;

/// The places and compact values of a file's rows.
using Rows = std::vector<std::pair<std::string, std::string>>;

Rows rows_of(const std::filesystem::path& path) {
  const auto reader = open_rows(path);
  Rows rows;
  RawRow row;
  while (reader->next(row)) {
    const std::string where = reader->where(row.number);
    rows.emplace_back(where.substr(where.rfind('/') + 1), reader->parse(std::move(row)).dump());
  }
  EXPECT_FALSE(reader->next(row)) << "the end stays the end";
  return rows;
}

std::string gzipped(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

class RowReaders : public testing::Test {
 protected:
  Rows read(const std::string& name, const std::string& content) {
    return rows_of(folder_.write(name, content));
  }
  std::string refusal(const std::string& name, const std::string& content) {
    return message_of<DataError>([&] { read(name, content); });
  }

  test::TempFolder folder_;
};

TEST_F(RowReaders, GiveTheSameRowsOfEveryContainer) {
  const std::string jsonl = "{\"a\":\"x\",\"b\":\"1\"}\n{\"a\":\"y\",\"b\":\"\"}\n";
  const std::vector<std::pair<std::string, std::string>> files = {
      {"r.jsonl", jsonl},
      {"r.ndjson", jsonl},
      {"r", jsonl},
      {"r.json", jsonl},
      {"r.json.gz", gzipped(jsonl)},
      {"r.jsonl.gz", gzipped(jsonl)},
      {"r.json", "[{\"a\":\"x\",\"b\":\"1\"},\n {\"a\":\"y\",\"b\":\"\"}]\n"},
      {"r.csv", "a,b\nx,1\ny,\n"},
      {"r.tsv.gz", gzipped("a\tb\nx\t1\ny\t\n")},
  };
  for (const auto& [name, content] : files) {
    const Rows rows = read(name, content);
    ASSERT_EQ(rows.size(), 2u) << name;
    EXPECT_EQ(rows[0].second, R"({"a":"x","b":"1"})") << name;
    EXPECT_EQ(rows[1].second, R"({"a":"y","b":""})") << name;
  }
}

TEST_F(RowReaders, SayWhatIsWrongWhereNameAndContentDisagree) {
  EXPECT_TRUE(contains(refusal("r.jsonl.gz", "{}\n"), "does not begin as a gzip file"));
  EXPECT_TRUE(contains(refusal("r.jsonl", gzipped("{}\n")), "Name it "));
  EXPECT_TRUE(contains(refusal("r.jsonl", gzipped("{}\n")), "r.jsonl.gz"));
  EXPECT_TRUE(contains(refusal("r.csv", "{\"a\": 1}\n"), "begins like JSON. Name it .jsonl"));
  EXPECT_TRUE(contains(refusal("r.csv", "[{\"a\": 1}]"), "begins like JSON. Name it .json"));
  EXPECT_TRUE(contains(refusal("r.parquet", "{}\n"), "does not begin as a Parquet file"));
  EXPECT_TRUE(contains(refusal("r.jsonl", "PAR1...."), "Name it .parquet"));
}

TEST_F(RowReaders, ReadSeveralGzipMembersAsOneFile) {
  const Rows rows = read("r.jsonl.gz", gzipped("{\"a\":1}\n{\"a\"") + gzipped(":2}\n"));
  EXPECT_EQ(rows, (Rows{{"r.jsonl.gz:1", R"({"a":1})"}, {"r.jsonl.gz:2", R"({"a":2})"}}));
}

TEST_F(RowReaders, RefuseAGzipFileThatIsCutShortOrDamaged) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "{\"a\":" + std::to_string(i * 7919 % 10007) + "}\n";
  const std::string packed = gzipped(text);
  for (const std::size_t size : {packed.size() / 2, packed.size() - 1, packed.size() - 8})
    EXPECT_TRUE(contains(refusal("r.jsonl.gz", packed.substr(0, size)),
                         "cut short: it ends at byte " + std::to_string(size)));
  std::string flipped = packed;
  flipped[flipped.size() - 6] ^= 1;  // of the checksum
  EXPECT_TRUE(contains(refusal("r.jsonl.gz", flipped), "r.jsonl.gz: the gzip file is damaged"));
}

TEST_F(RowReaders, TakeTheOneArrayOfRowsOfAJsonObject) {
  const Rows expected = {{"r.json, row 1", R"({"a":1})"}, {"r.json, row 2", R"({"a":2})"}};
  EXPECT_EQ(
      read("r.json",
           "{\n\"version\": \"1, [{\", \"tags\": [1, 2],\n \"data\": [{\"a\": 1}, {\"a\": 2}],"
           "\"end\": {\"x\": [{\"a\": 3}]}}"),
      expected);
  EXPECT_TRUE(contains(refusal("r.json", "{\n\"a\": [{\"x\": 1}], \"b\": [{\"x\": 2}]}"),
                       "arrays of rows under \"a\" and \"b\""));
  EXPECT_TRUE(contains(refusal("r.json", "{\"a\": 1,\n\"b\": [1]}"), "without an array of rows"));
}

TEST_F(RowReaders, NameThePlaceOfAWrongRowInAJsonDocument) {
  EXPECT_TRUE(contains(refusal("r.json", "[{\"a\": 1},\n {\"a\": }]"), "r.json:2:7: "));
  EXPECT_TRUE(
      contains(refusal("r.json", "[{\"a\": 1},\n 3]"), "r.json, row 2 (line 2): the row is"));
  EXPECT_TRUE(contains(refusal("r.json", "[{\"a\": 1}\n {\"a\": 2}]"), "',' or ']' after a row"));
  EXPECT_TRUE(contains(refusal("r.json", "[{\"a\": 1},\n {\"a\": 2"), "cut short"));
  EXPECT_TRUE(contains(refusal("r.json", "[{\"a\": 1},"), "cut short"));
  EXPECT_TRUE(contains(refusal("r.json", "[{\"a\": 1}] x"), "the end of the document, got 'x'"));
}

TEST_F(RowReaders, AreAtTheEndOfAnEmptyFile) {
  for (const char* name : {"r.jsonl", "r.json", "r"}) EXPECT_TRUE(read(name, "").empty()) << name;
  EXPECT_TRUE(read("r.json", "[]").empty());
  EXPECT_TRUE(read("r.csv", "a,b\n").empty());
  EXPECT_TRUE(contains(refusal("r.csv", ""), "expected a header row"));
}

TEST_F(RowReaders, TakeLongJsonElementsAcrossReads) {
  std::string content = "[";
  for (int i = 0; i < 5; ++i)
    content +=
        (i > 0 ? ",\n" : "") + std::string("{\"a\": \"") + std::string(1'300'000, '\\') + "\"}";
  EXPECT_EQ(read("r.json", content + "]").size(), 5u);
}

TEST_F(RowReaders, ReadCsvAsRfc4180HasIt) {
  EXPECT_EQ(read("r.csv",
                 "\xEF\xBB\xBF\"a\",b c\r\n"
                 "\"x,\"\"y\"\"\r\nz\",\r\n"
                 "\r\n"
                 "5\" disk, q \r\n"
                 "\"\",1"),
            (Rows{{"r.csv, row 1", "{\"a\":\"x,\\\"y\\\"\\r\\nz\",\"b c\":\"\"}"},
                  {"r.csv, row 2", "{\"a\":\"5\\\" disk\",\"b c\":\" q \"}"},
                  {"r.csv, row 3", "{\"a\":\"\",\"b c\":\"1\"}"}}));
}

TEST_F(RowReaders, NameThePlaceOfAWrongCsvRow) {
  EXPECT_TRUE(contains(refusal("r.csv", "a,b\n\"x\ny\",1\n1\n"),
                       "r.csv, row 2 (line 4): the row has 1 fields and the header 2 columns"));
  EXPECT_TRUE(contains(refusal("r.csv", "a,b\n1,2,3\n"), "row 1 (line 2): the row has 3 fields"));
  EXPECT_TRUE(contains(refusal("r.csv", "a,b\n1,\"2\n3,4\n"), "line 2 has a quote that is never"));
  EXPECT_TRUE(contains(refusal("r.csv", "a,b\n\"1\"x,2\n"), "after the closing quote of field 1"));
  EXPECT_TRUE(contains(refusal("r.csv", "a,b\n1,\xff\n"), "row 1 (line 2): byte 2 of the row"));
  EXPECT_TRUE(contains(refusal("r.csv", "a,b,a\n"), "columns 1 and 3 of the header"));
  EXPECT_TRUE(contains(refusal("r.csv", ",b\n0,x\n"), "column 1 of the header has no name"));
}

TEST_F(RowReaders, GiveBackWhatAWriterWrote) {
  const std::vector<std::string> rows = {R"({"a":"x","b":"é,\"\n"})",
                                         R"({"a":"","b":"line\r\nend"})", R"({"a":" ","b":"\t"})"};
  for (const char* name : {"w.jsonl", "w.jsonl.gz", "w.csv", "w.tsv", "w.csv.gz"}) {
    const auto writer = create_rows(folder_ / name);
    for (const std::string& row : rows) writer->write(nlohmann::ordered_json::parse(row));
    EXPECT_FALSE(std::filesystem::exists(folder_ / name)) << "it appears complete or not at all";
    writer->commit();
    const Rows read = rows_of(folder_ / name);
    ASSERT_EQ(read.size(), rows.size()) << name;
    for (std::size_t i = 0; i < rows.size(); ++i)
      EXPECT_EQ(nlohmann::json::parse(read[i].second), nlohmann::json::parse(rows[i])) << name;
  }
}

TEST_F(RowReaders, RefuseToWriteWhatATableCannotHold) {
  const auto writer = create_rows(folder_ / "w.csv");
  writer->write({{"a", 1}});
  EXPECT_TRUE(contains(message_of<DataError>([&] { writer->write({{"b", 1}}); }), "\"b\""));
  EXPECT_TRUE(contains(message_of<ConfigError>([&] { create_rows(folder_ / "w.xlsx"); }), ".csv"));
}

}  // namespace
}  // namespace hone::io
