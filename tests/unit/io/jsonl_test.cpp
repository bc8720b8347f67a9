#include "io/jsonl.h"

#include <fcntl.h>
#include <unistd.h>

#include <sys/stat.h>

#include <thread>

#include "base/error.h"
#include "support/support.h"

namespace hone::io {
namespace {

using test::contains;
using test::message_of;

/// Line numbers and compact rows of a file of that content.
std::vector<std::pair<std::int64_t, std::string>> rows_of(const std::string& content) {
  const test::TempFolder folder;
  JsonlReader reader(folder.write("rows.jsonl", content));
  std::vector<std::pair<std::int64_t, std::string>> rows;
  while (const auto row = reader.next()) rows.emplace_back(row->line_number, row->value.dump());
  return rows;
}

std::string message_for(const std::string& content) {
  return message_of<DataError>([&] { rows_of(content); });
}

using Rows = std::vector<std::pair<std::int64_t, std::string>>;

TEST(Jsonl, KeepsKeyOrderAndCountsEmptyLines) {
  EXPECT_EQ(rows_of("{\"b\": 1, \"a\": {\"z\": 1, \"y\": 2}}\n\n  \n{\"c\": 3}"),
            (Rows{{1, R"({"b":1,"a":{"z":1,"y":2}})"}, {4, R"({"c":3})"}}));
}

TEST(Jsonl, TakesCrlfAndAByteOrderMark) {
  EXPECT_EQ(rows_of("\xEF\xBB\xBF{\"a\": 1}\r\n\r\n{\"a\": \"x\\r\"}\r\n"),
            (Rows{{1, R"({"a":1})"}, {3, R"({"a":"x\r"})"}}));
}

TEST(Jsonl, EmptyFilesHaveNoRows) {
  EXPECT_EQ(rows_of(""), Rows{});
  EXPECT_EQ(rows_of("\n\n"), Rows{});
  EXPECT_EQ(rows_of("\xEF\xBB\xBF"), Rows{});
}

TEST(Jsonl, LinesMayBeLongerThanTheBuffer) {
  std::string content;
  for (int i = 0; i < 5; ++i) content += "{\"a\": \"" + std::string(1'300'000, 'x') + "\"}\n";
  const Rows rows = rows_of(content);
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_EQ(rows.back().second.size(), 1'300'000u + 8);
}

TEST(Jsonl, MalformedRowNamesFileLineColumnReasonAndExcerpt) {
  const std::string message = message_for("{\"a\": 1}\n\n{\"a\": \"é\", \"b\": }\n");
  EXPECT_TRUE(contains(message, "rows.jsonl:3:17: syntax error"));
  EXPECT_TRUE(contains(message, "near `{\"a\": \"é\", \"b\": }`"));
}

TEST(Jsonl, InvalidUtf8NamesLineAndByteInTheFile) {
  const std::string message = message_for("{\"a\": 1}\r\n{\"a\": \"\xC3\x28\"}\n");
  EXPECT_TRUE(contains(message, "rows.jsonl:2:8: byte 17 of the file (0xc3)"));
}

TEST(Jsonl, RowsAreObjects) {
  EXPECT_TRUE(contains(message_for("{}\n[1]\n"), "rows.jsonl:2: the row is array"));
  EXPECT_TRUE(contains(message_for("{}\n3"), "rows.jsonl:2: the row is number"));
}

TEST(Jsonl, SaysHowToConvertDocuments) {
  EXPECT_TRUE(contains(message_for("[{\"a\": 1},\n{\"a\": 2}]\n"), "jq -c '.[]'"));
  EXPECT_TRUE(contains(message_for("{\n  \"a\": 1\n}\n"), "jq -c ."));
}

TEST(Jsonl, DepthIsLimited) {
  EXPECT_TRUE(contains(message_for("{\"a\": " + std::string(1000, '[')), "nested deeper"));
}

TEST(Jsonl, GoesOnAfterAWrongRow) {
  const test::TempFolder folder;
  JsonlReader reader(folder.write("rows.jsonl", "{\"a\": 1}\n{oops}\n{\"a\": 3}\n"));
  EXPECT_EQ(reader.next()->line_number, 1);
  EXPECT_THROW(reader.next(), DataError);
  EXPECT_EQ(reader.next()->line_number, 3);
  EXPECT_FALSE(reader.next().has_value());
  EXPECT_FALSE(reader.next().has_value());
}

TEST(Jsonl, ReadsAPipeRowByRow) {
  const test::TempFolder folder;
  const auto path = folder / "pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  std::thread writer([&] {
    const int fd = ::open(path.c_str(), O_WRONLY);
    const std::string parts[] = {"{\"a\"", ": 1}\n{\"a\": 2", "}"};
    for (const std::string& part : parts)
      EXPECT_EQ(::write(fd, part.data(), part.size()), static_cast<ssize_t>(part.size()));
    ::close(fd);
  });
  JsonlReader reader(path);
  EXPECT_EQ(reader.next()->value["a"], 1);
  EXPECT_EQ(reader.next()->value["a"], 2);
  EXPECT_FALSE(reader.next().has_value());
  writer.join();
}

TEST(Jsonl, DashIsStandardInput) {
  const test::TempFolder folder;
  const auto path = folder.write("rows.jsonl", "{\"a\": 1}\n{]\n");
  const int saved = ::dup(STDIN_FILENO);
  const int fd = ::open(path.c_str(), O_RDONLY);
  ::dup2(fd, STDIN_FILENO);
  ::close(fd);
  JsonlReader reader("-");
  EXPECT_EQ(reader.next()->value["a"], 1);
  EXPECT_TRUE(contains(message_of<DataError>([&] { reader.next(); }), "<stdin>:2:2"));
  ::dup2(saved, STDIN_FILENO);
  ::close(saved);
}

TEST(Jsonl, MissingFileIsNamed) {
  EXPECT_TRUE(contains(message_of<DataError>([] { JsonlReader reader("/no/such.jsonl"); }),
                       "/no/such.jsonl"));
}

}  // namespace
}  // namespace hone::io
