#include "config/yaml.h"

#include "support/support.h"

namespace hone::config {
namespace {

struct Outcome {
  Node root;
  std::vector<YamlProblem> problems;
};

Outcome parse(const std::string& text) {
  Outcome outcome;
  outcome.root = parse_yaml(text, outcome.problems);
  return outcome;
}

std::string repeat(const std::string& part, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) text += part;
  return text;
}

TEST(ParseYaml, BuildsTheTreeWithLines) {
  const auto [root, problems] = parse("# comment\na: 1\nb:\n  - x\n  - \"y\"\nc: {d: ~}\n");
  ASSERT_TRUE(problems.empty());
  ASSERT_EQ(root.kind, Node::Kind::kMapping);
  ASSERT_EQ(root.items.size(), 3u);
  EXPECT_EQ(root.items[0].key, "a");
  EXPECT_EQ(root.items[0].text, "1");
  EXPECT_EQ(root.items[0].line, 2);
  EXPECT_EQ(root.items[1].line, 3);  // the key's line, not the list's
  EXPECT_FALSE(root.items[1].items[0].quoted);
  EXPECT_TRUE(root.items[1].items[1].quoted);
  EXPECT_EQ(root.items[1].items[1].line, 5);
  EXPECT_EQ(root.items[2].items[0].kind, Node::Kind::kNull);
}

TEST(ParseYaml, TakesWindowsAndOldMacLineEndsAndAByteOrderMark) {
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    const auto [root, problems] = parse(
        "\xEF\xBB\xBF"
        "a: x" +
        end + "b: |" + end + "  1" + end + "  2" + end);
    ASSERT_TRUE(problems.empty());
    ASSERT_EQ(root.items.size(), 2u);
    EXPECT_EQ(root.items[0].text, "x");
    EXPECT_EQ(root.items[1].text, "1\n2\n");
    EXPECT_EQ(root.items[1].line, 2);
  }
}

TEST(ParseYaml, NothingIsNull) {
  for (const char* text :
       {"", "\n", "# only a comment\n", "---\n", "---\n...\n", "~", "\xEF\xBB\xBF"}) {
    const auto [root, problems] = parse(text);
    EXPECT_TRUE(problems.empty()) << text;
    EXPECT_EQ(root.kind, Node::Kind::kNull) << text;
  }
}

struct BadDocument {
  std::string text;
  int line;
  std::string what;
};

TEST(ParseYaml, RefusesWithTheLine) {
  const std::vector<BadDocument> cases = {
      {"a: 1\nb: &x 2\n", 2, "anchors (&name) are not taken"},
      {"a: &x 1\nb: *x\n", 2, "aliases (*name) are not taken"},
      {"a: 1\nb: *x\n", 2, "anchor is not defined"},
      {"a: 1\n<<: {b: 1}\n", 2, "merge keys (<<) are not taken"},
      {"a: !!str 1\n", 1, "tags are not taken; remove \"tag:yaml.org,2002:str\""},
      {"a: !python/object:os.system [x]\n", 1, "tags are not taken"},
      {"a: 1\nb: 2\na: 3\n", 3, "the key a stands here a second time"},
      {"a: 1\n---\nb: 2\n", 2, "a second document starts here"},
      {"a: [1, 2\nb: 3\n", 2, "end of sequence flow not found"},
      {"a:\n\tb: 1\n", 2, "spaces, no tabs"},
      {"a: 1\nb: [", 2, "end of sequence flow not found"},
      {"a: 1\nb: {c: 1", 2, "end of map flow not found"},
      {"a: 1\n  b: 2\n", 2, "not valid YAML"},
      {"a: b: c\n", 1, "not valid YAML"},
      {"a: 1\nb: 'open\nc: 3\n", 2, "a quotation mark is opened and never closed"},
      {"a: 1\nb: \"open\nc: 3\n", 2, "a quotation mark is opened and never closed"},
      {"a: 1\nb: 'open", 2, "a quotation mark is opened and never closed"},
      {"? [a]\n: 1\n", 1, "expected a name as key"},
      {"~: 1\n", 1, "expected a name as key"},
      {"a: \"x\\0y\"\n", 1, "NUL character"},
      {"a: \"\\ud800\"\n", 1, "invalid unicode"},
      {std::string("a: 1\nb: x\0y\n", 12), 2, "control character 0x00"},
      {"a: 1\x04\nb: 2\n", 1, "control character 0x04"},
      {"a: \x1b[31m\n", 1, "control character 0x1B"},
      {"a: 1\nb: \xff\n", 2, "byte 0xFF is not UTF-8"},
      {"a: \xC0\xAF\n", 1, "byte 0xC0 is not UTF-8"},          // overlong
      {"a: \xED\xA0\x80\n", 1, "byte 0xED is not UTF-8"},      // a surrogate
      {"a: \xF4\x90\x80\x80\n", 1, "byte 0xF4 is not UTF-8"},  // above U+10FFFF
      {"a: \xE2\x82", 1, "byte 0xE2 is not UTF-8"},            // cut off
  };
  for (const BadDocument& bad : cases) {
    const auto [root, problems] = parse(bad.text);
    ASSERT_FALSE(problems.empty()) << bad.text;
    EXPECT_EQ(problems.back().line, bad.line) << bad.text << problems.back().what;
    EXPECT_TRUE(hone::test::contains(problems.back().what, bad.what)) << bad.text;
  }
}

TEST(ParseYaml, TakesUtf8) {
  const auto [root, problems] = parse("a: \xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\n");
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(root.items[0].text, "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
}

TEST(ParseYaml, DepthIsBounded) {
  const auto nested = [](std::size_t depth) { return repeat("[", depth) + repeat("]", depth); };
  EXPECT_TRUE(parse(nested(kMaxDocumentDepth)).problems.empty());
  const auto [root, problems] = parse(nested(kMaxDocumentDepth + 1));
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_TRUE(hone::test::contains(problems[0].what, "nested over 64 levels deep"));
  EXPECT_EQ(root.kind, Node::Kind::kRefused);
}

TEST(ParseYaml, SizeIsBounded) {
  const std::string most = "a: " + std::string(kMaxDocumentBytes - 4, 'x') + "\n";
  EXPECT_TRUE(parse(most).problems.empty());
  const auto [root, problems] = parse(most + "\n");
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_TRUE(hone::test::contains(problems[0].what, "longer than 1048576 bytes"));
}

// Ten lists of ten aliases each, nine deep: a thousand million elements where a reader expands
// them.
TEST(ParseYaml, BillionLaughsAreRefusedAtTheFirstAnchor) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string alias = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + repeat(alias + ", ", 9) +
            alias + "]\n";
  }
  const auto [root, problems] = parse(text);
  ASSERT_FALSE(problems.empty());
  EXPECT_LE(problems.size(), 51u);
  EXPECT_TRUE(hone::test::contains(problems[0].what, "anchors"));
}

TEST(ParseYaml, HostileRepetitionsEndQuickly) {
  for (const std::string part :
       {"[",      "{",     "- ",   "? ",         "a: {",    "{a: [",   "*a ", "&a ",
        "! ",     "\"",    "'",    "a: 1\n",     "- \n",    "|",       ": ",  "[],",
        "a: [\n", "---\n", "%a\n", "&a a: *a\n", "<<: 1\n", "!x : 1\n"}) {
    for (const std::size_t bytes : {std::size_t{40'000}, kMaxDocumentBytes}) {
      const auto [root, problems] = parse(repeat(part, bytes / part.size()));
      EXPECT_LE(problems.size(), 51u) << part;
    }
  }
}

TEST(YamlString, IsPlainOnlyWhereEveryReaderAgrees) {
  EXPECT_EQ(yaml_string("adamw"), "adamw");
  EXPECT_EQ(yaml_string("/data/train-00.jsonl"), "/data/train-00.jsonl");
  for (const char* text : {"",    "yes",  "No",   "ON",    "off",  "true",       "NULL", "~",
                           "1",   "1e-4", "0x1F", "1_000", "1:30", "2024-01-01", ".inf", "-",
                           "- a", "a: b", "a #b", " a",    "a ",   "*a",         "&a",   "!a",
                           "%a",  "@a",   "`a",   "{a}",   "[a]",  "a,b",        "\"a\""})
    EXPECT_EQ(yaml_string(text)[0], '"') << text;
  EXPECT_EQ(yaml_string("a\n\t\"\\\x1b"), "\"a\\n\\u0009\\\"\\\\\\u001b\"");
}

}  // namespace
}  // namespace hone::config
