#include "tokenizer/known_patterns.h"

#include <gtest/gtest.h>

#include <random>

#include "tokenizer/regex.h"

namespace hone::tokenizer {
namespace {

// What PCRE2 finds, the definition that the hand-written matchers are held to.
std::vector<TextRange> matches_of_regex(const Regex& regex, std::string_view text) {
  std::vector<TextRange> matches;
  std::size_t from = 0;
  while (const auto match = regex.find(text, from)) {
    matches.push_back(*match);
    from = match->end;
  }
  return matches;
}

class KnownPatterns : public testing::TestWithParam<std::string_view> {
 protected:
  void expect_agreement(std::string_view text) {
    std::vector<TextRange> matches;
    find_known_pattern(GetParam())(text, matches);
    EXPECT_EQ(matches, matches_of_regex(regex_, text)) << "`" << text << "`";
  }

  Regex regex_{std::string(GetParam())};
};

TEST_P(KnownPatterns, AgreeWithPcre2OnEveryCharacter) {
  // Between what may stand before and after it in one piece.
  for (const std::string_view frame : {"", " ", "a", "A", "1", ".", "\n", "'", "\u0301"}) {
    std::string text;
    for (char32_t c = 0; c < 0x110000; ++c) {
      if (c >= 0xD800 && c <= 0xDFFF) continue;
      text += frame;
      append_utf8(text, c);
      if (c % 0x1000 == 0xFFF) {
        expect_agreement(text);
        text.clear();
      }
    }
  }
}

TEST_P(KnownPatterns, AgreeWithPcre2OnRandomText) {
  const std::vector<std::string> parts{
      " ",      " ",          "  ",     "\n",      "\r",         "\t",     "\u00A0",
      "\u2003", "\u0085",     "\u2028", "\u180E",  "'",          "'s",     "'S",
      "'re",    "'LL",        "'ve",    "'\u017F", "s",          "t",      "re",
      "a",      "B",          "AB",     "cd",      "\u01C5",     "\u00E9", "\u00C9",
      "\u02B0", "\u00AA",     "\u4E2D", "\u0301",  "\u093E",     "\u0928", "7",
      "12345",  "\u00BD",     "\u0663", "\u2167",  ".",          "!",      "/",
      "//",     "\n/",        "-",      "_",       "\U0001F600", "\u200D", std::string(1, '\0'),
      "\uE000", "\U000E0100", "\u0378"};
  std::mt19937 random(4);
  for (int round = 0; round < 30000; ++round) {
    std::string text;
    for (std::size_t i = 1 + random() % 24; i > 0; --i) text += parts[random() % parts.size()];
    expect_agreement(text);
  }
}

TEST_P(KnownPatterns, AgreeWithPcre2OnLongRuns) {
  for (const std::string_view part : {" ", "\n", "a", "A", "1", ".", "\u0301", "\u4E2D", "\n/"}) {
    std::string text;
    for (int i = 0; i < 3000; ++i) text += part;
    expect_agreement(text);
    expect_agreement("x" + text + "x");
  }
}

INSTANTIATE_TEST_SUITE_P(All, KnownPatterns, testing::ValuesIn(known_patterns()),
                         [](const auto& param_info) {
                           return "Pattern" + std::to_string(param_info.index);
                         });

TEST(KnownPatternTable, HasOnlyExactSpellings) {
  EXPECT_NE(find_known_pattern(kGpt2Pattern), nullptr);
  EXPECT_EQ(find_known_pattern(std::string(kGpt2Pattern) + " "), nullptr);
}

}  // namespace
}  // namespace hone::tokenizer
