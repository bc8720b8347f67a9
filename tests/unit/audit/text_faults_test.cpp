#include "datasets/audit/text_faults.h"

#include <gtest/gtest.h>

#include "base/philox.h"
#include "datasets/audit/prose.h"
#include "io/utf8.h"

namespace hone::datasets::audit {
namespace {

/// Texts in which a fault must be found, and texts in which it must not.
template <class Find>
void expect_found_only_in(Find find, const std::vector<std::string>& faulty,
                          const std::vector<std::string>& sound) {
  for (const std::string& text : faulty) EXPECT_TRUE(find(text)) << text;
  for (const std::string& text : sound)
    EXPECT_FALSE(find(text)) << text << "\nfound: " << *find(text);
}

TEST(Prose, CodeIsSetApart) {
  const Segments segments = segments_of("a `b` c\n```py\nd\n```\ne ``f`g`` h");
  std::string code;
  std::size_t end = 0;
  for (const Segment& segment : segments.all) {
    EXPECT_EQ(segment.range.begin, end) << "no gap";
    end = segment.range.end;
    if (segment.is_code) code += std::to_string(segment.range.size()) + " ";
  }
  EXPECT_EQ(end, 31u);
  EXPECT_EQ(code, "3 12 7 ");
  EXPECT_FALSE(segments.fence_open);
  EXPECT_TRUE(segments_of("```\nopen").fence_open);
  EXPECT_FALSE(segments_of("a lone ` backtick").all[0].is_code);
}

TEST(Truncation, IsToldFromListsVerseAndCode) {
  expect_found_only_in(
      find_truncation,
      {"Here is the code:\n```python\nprint(1)\n", "{\"kind\": \"order\", \"items\": [{\"a\": 1",
       "[1, 2, 3",
       "The city was founded in 1200. It grew quickly, and in the years that followed the harbour "
       "became the",
       "Die Stadt wurde 1200 gegründet. Sie wuchs schnell, und in den folgenden Jahren wurde der "
       "Hafen,"},
      {"The city was founded in 1200. It grew quickly.", "Paris", "yes", "{\"kind\": \"order\"}",
       "{name} is a placeholder", "[edit] this is a note",
       "Some fruits that I like. They are:\n- apples from the garden behind the old house\n- pears "
       "that my neighbour brings over on long Sundays",
       "Roses are red and violets are blue\nsugar is sweet in the morning and so are you",
       "See the docs. They are at https://docs.acme.io/a/b/c/d and all of what you need is "
       "https://docs.acme.io/x",
       "It works like this. ```\nx = 1\n```", "Is that all? The answer is 42",
       "これは文です。次の文です。",
       "He said it. \"We will see what the next year brings us all.\""});
}

TEST(Refusals, AreOpeningsNotTopics) {
  expect_found_only_in(
      find_refusal,
      {"I'm sorry, but I can't help with that.", "I’m sorry, I cannot assist.",
       "As an AI language model, I do not have opinions.", "I cannot provide that information.",
       "Sorry, but I can't do that."},
      {"I'm sorry for the delay; your parcel is on its way.", "The manager said: I can't help you.",
       "I cannot find the key anywhere.", "He is sorry, but the shop is closed."});
}

TEST(Html, IsFoundInProseAndNotInCode) {
  expect_found_only_in(find_html,
                       {"Hello<br>world", "<p>Text</p>", "a &amp; b", "<a href=\"x\">y</a>",
                        "caf&eacute;", "&#8217;", "<div class='a' id=b>x", "<!-- note -->"},
                       {"a < b and c > d", "List<String>", "vector<a>", "AT&T; fine",
                        "`<br>` breaks", "```html\n<p>x</p>\n```", "<think>hm</think>",
                        "if a <b and c> d", "R&D", "&unknown; thing", "x <- y"});
}

TEST(Html, StrippingKeepsTheTextAndTheCode) {
  EXPECT_EQ(without_html("<p>Tom &amp; <b>Ann</b></p>ok `<b>`"), "Tom & Ann\nok `<b>`");
  EXPECT_EQ(without_html("1 &lt; 2"), "1 < 2");
  EXPECT_EQ(without_html("&amp;lt;"), "&lt;") << "decoded once";
  EXPECT_EQ(without_html("a < b"), "a < b");
}

TEST(MarkupResidue, IsNotTakenFromPathsAndFormulas) {
  expect_found_only_in(find_markup_residue,
                       {"First.\\nSecond.", "a\\n\\nb", "see [this]() now", "![x](img/local.png)",
                        "##\ntext", "History [edit]"},
                       {"C:\\new\\names", "$\\nabla f \\neq 0$", "`a.\\nb`", "[a](https://b.io)",
                        "![x](https://b.io/x.png)", "# Title", "array[i](x)", "#hashtag"});
}

TEST(Whitespace, IsFoundWhereItIsNotMeant) {
  const auto in_answer = [](const std::string& text) { return find_stray_whitespace(text, true); };
  const auto in_prompt = [](const std::string& text) { return find_stray_whitespace(text, false); };
  expect_found_only_in(in_answer,
                       {" yes", "yes\n", "a\r\nb", "a\u200bb", "a\n\n\n\nb", "a    b", "a\u00a0b"},
                       {"yes", "a\n\nb", "| a    | b |", "10\u00a0000", "Quoi\u00a0?",
                        "«\u00a0oui\u00a0»", "```\na    b\n\n\n\n```", "a\n    b"});
  expect_found_only_in(in_prompt, {"a\r\nb"}, {"yes\n", " yes"});
}

TEST(Whitespace, IsMadePlainOutsideOfCode) {
  EXPECT_EQ(with_plain_whitespace(" a\r\nb   c\u200bd\n\n\n\ne `x   y` \n"),
            "a\nb cd\n\ne `x   y`");
  EXPECT_EQ(with_plain_whitespace("| a    | b |"), "| a    | b |");
  EXPECT_EQ(with_plain_whitespace("   "), "");
}

TEST(ControlCharacters, AreFoundAndRemoved) {
  expect_found_only_in(find_control_characters,
                       {std::string("a\0b", 3), "a\x1b[31m", "a\u0085b", "a\ufffd", "a\u202eb"},
                       {"a\tb\r\n", "עברית\u200f", "👩\u200d🚀", "ok"});
  EXPECT_EQ(without_control_characters("a\x07"
                                       "b\tc\n"),
            "ab\tc\n");
}

TEST(Mojibake, IsToldFromWesternText) {
  expect_found_only_in(find_mojibake,
                       {"CafÃ©", "itâ€™s", "Â£5", "â‚¬ 5", "ÐŸÑ€Ð¸Ð²ÐµÑ‚", "donâ€œt"},
                       {"Café", "it’s", "NÃO", "«\u00a0CAFÉ\u00a0»", "„CAFÉ“", "São Paulo", "Â",
                        "Ångström", "Привет", "Größe", "£5", "“É”"});
  EXPECT_EQ(with_mojibake_repaired("CafÃ© itâ€™s fine, Ærø"), "Café it’s fine, Ærø");
  EXPECT_EQ(with_mojibake_repaired("ÐŸÑ€Ð¸Ð²ÐµÑ‚"), "Привет");
}

/// Texts put together at random from what the finders look for.
TEST(TextFaults, RepairsLeaveValidTextWithoutTheFault) {
  const std::vector<std::string> pieces = {
      "a",       "Word",  " ",      "   ",    "\n",   "\n\n\n\n", "\r\n",
      "`",       "```",   "\u00a0", "\u200b", "é",    "Ã",        "©",
      "Ã©",      "â€™",   "漢",     "&amp;",  "&lt;", "&#60;",    "<br>",
      "<b>",     "</",    "<",      ">",      "@",    "a@b.de",   "4111111111111111",
      "8.8.8.8", ":",     ".",      "{",      "[",    "\"",       "\\n",
      "|",       "\t",    "\x01",   "\u202e", "😀",    "é",        "~~~",
      "#",       "\u0301"};
  const Philox random(3);
  for (std::uint64_t round = 0; round < 3000; ++round) {
    std::string text;
    for (std::uint64_t i = 0; i < 12; ++i) text += pieces[random(round, i).w[0] % pieces.size()];
    SCOPED_TRACE(excerpt(text, 200));
    find_truncation(text);
    find_refusal(text);
    find_markup_residue(text);
    const std::string plain = with_plain_whitespace(text);
    EXPECT_FALSE(find_stray_whitespace(plain, true)) << *find_stray_whitespace(plain, true);
    const std::string kept = without_control_characters(text);
    EXPECT_FALSE(find_control_characters(kept));
    EXPECT_EQ(with_mojibake_repaired(text) == text, !find_mojibake(text));
    EXPECT_EQ(without_html(text) == text, !find_html(text));
    for (const std::string& result :
         {plain, kept, with_mojibake_repaired(text), without_html(text), with_pii_redacted(text)})
      EXPECT_FALSE(io::first_invalid_utf8(result));
  }
}

TEST(Excerpts, FitOneLineOfATerminal) {
  EXPECT_EQ(excerpt("a\nb\x1b[31m", 60), "a↵b\\u001b[31m");
  EXPECT_EQ(excerpt("abcdef", 3), "abc…");
  EXPECT_EQ(excerpt(std::string_view("é").substr(1), 3), "");
}

}  // namespace
}  // namespace hone::datasets::audit
