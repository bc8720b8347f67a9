#include "io/json.h"

#include "base/error.h"
#include "support/support.h"

namespace hone::io {
namespace {

using test::contains;
using test::message_of;

std::string message_for(const std::string& content) {
  const test::TempFolder folder;
  const auto path = folder.write("x.json", content);
  return message_of<DataError>([&] { read_json(path); });
}

TEST(Json, ReadsADocumentAndSkipsItsByteOrderMark) {
  const test::TempFolder folder;
  const auto path = folder.write("x.json", "\xEF\xBB\xBF{\"b\": [1, 2.5, null], \"a\": \"é\"}\n");
  EXPECT_EQ(read_json(path)["a"], "é");
  EXPECT_EQ(read_ordered_json(path).begin().key(), "b");
}

TEST(Json, NamesFileLineAndColumn) {
  const std::string message = message_for("{\n  \"é\": 1,,\n}");
  EXPECT_TRUE(contains(message, "x.json:2:10:"));
  EXPECT_TRUE(contains(message, "near `  \"é\": 1,,`"));
}

TEST(Json, NamesTheEndWhereADocumentStops) {
  EXPECT_TRUE(contains(message_for("{\"a\": [1,\n2"), "x.json:2:2: syntax error"));
  EXPECT_TRUE(contains(message_for(""), "x.json:1:1: syntax error"));
}

TEST(Json, RefusesWhatFollowsTheDocument) {
  EXPECT_TRUE(contains(message_for("{} {}"), "x.json:1:4:"));
}

TEST(Json, NamesTheByteThatIsNotUtf8) {
  const std::string message = message_for("\xEF\xBB\xBF{\"a\":\n\"\xE9t\"}");
  EXPECT_TRUE(contains(message, "x.json:2:2: byte 10 of the file (0xe9)"));
}

TEST(Json, LimitsDepth) {
  const auto nested = [](int depth) {
    return std::string(std::size_t(depth), '[') + std::string(std::size_t(depth), ']');
  };
  const test::TempFolder folder;
  EXPECT_NO_THROW(read_json(folder.write("deep.json", nested(kMaxJsonDepth))));
  EXPECT_NO_THROW(read_json(folder.write("string.json", "\"\\\"" + std::string(500, '[') + "\"")));
  EXPECT_TRUE(contains(message_for(nested(kMaxJsonDepth + 1)), "x.json:1:129: JSON nested deeper"));
  EXPECT_TRUE(contains(message_for(std::string(10'000'000, '[')), "nested deeper"));
}

TEST(Json, RefusesNumbersBeyondRangeAndHalfSurrogates) {
  EXPECT_TRUE(contains(message_for("[1e999]"), "number overflow"));
  EXPECT_TRUE(contains(message_for("[\"\\ud800\"]"), "surrogate"));
}

TEST(Json, KeepsMessagesShort) {
  EXPECT_LT(message_for("{\"a\": tru" + std::string(100'000, 'x') + "}").size(), 500u);
  EXPECT_LT(message_for("[\"" + std::string(100'000, 'x')).size(), 500u);
}

TEST(Json, KeysMayBeRequiredToBeUnique) {
  const std::string text = R"({"a": {"b": 1, "b": 2}})";
  EXPECT_EQ(parse_json(text, {"x"})["a"]["b"], 2);
  EXPECT_TRUE(contains(message_of<DataError>([&] { parse_json(text, {"x"}, JsonKeys::kUnique); }),
                       "'b' is given twice"));
  EXPECT_NO_THROW(parse_json(R"([{"a": {"b": 1}, "b": 2}, {"a": 1}])", {"x"}, JsonKeys::kUnique));
}

TEST(Json, MissingFileAndFolderAreNamed) {
  const test::TempFolder folder;
  EXPECT_TRUE(contains(message_of<DataError>([] { read_json("/no/such.json"); }), "/no/such.json"));
  EXPECT_TRUE(contains(message_of<DataError>([&] { read_json(folder.path()); }), "is a folder"));
}

}  // namespace
}  // namespace hone::io
