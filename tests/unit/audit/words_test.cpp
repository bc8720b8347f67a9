#include "datasets/audit/words.h"

#include <gtest/gtest.h>

#include "datasets/audit/script.h"

namespace hone::datasets::audit {
namespace {

TEST(Words, IgnoreCasePunctuationAndCompatibilityForms) {
  EXPECT_EQ(word_hashes("The cat, sat."), word_hashes("the CAT sat"));
  EXPECT_EQ(word_hashes("caf\u00e9"), word_hashes("CAFE\u0301")) << "composed and decomposed";
  EXPECT_EQ(word_hashes("\uff28\uff49"), word_hashes("hi")) << "full-width letters";
  EXPECT_NE(word_hashes("the cat sat"), word_hashes("the cat sits"));
  EXPECT_NE(word_hashes("ab c"), word_hashes("a bc"));
  EXPECT_TRUE(word_hashes(" …!? ").empty());
}

TEST(Words, LettersOfUnspacedScriptsAreWordsOfTheirOwn) {
  EXPECT_EQ(word_hashes("我喜歡你").size(), 4u);
  EXPECT_EQ(word_hashes("ab我c").size(), 3u);
  EXPECT_EQ(word_hashes("안녕하세요 세계").size(), 2u) << "Hangul is written with spaces";
}

TEST(Words, NormalisedTextsDifferOnlyInWhatAReaderSees) {
  EXPECT_EQ(normalised("  a\t b\r\n\u00a0c "), "a b c");
  EXPECT_EQ(normalised("e\u0301"), "\u00e9");
  EXPECT_EQ(normalised(" \n"), "");
  EXPECT_NE(content_key("a"), content_key("b"));
}

TEST(Scripts, AreToldByBlock) {
  const std::pair<char32_t, Script> cases[] = {
      {U'a', Script::kLatin},      {U'é', Script::kLatin},   {U'ж', Script::kCyrillic},
      {U'λ', Script::kGreek},      {U'ש', Script::kHebrew},  {U'ع', Script::kArabic},
      {U'न', Script::kDevanagari}, {U'ไ', Script::kThai},    {U'か', Script::kKana},
      {U'漢', Script::kHan},       {U'한', Script::kHangul}, {U'ქ', Script::kGeorgian},
      {U'5', Script::kNone},       {U'×', Script::kNone},    {U' ', Script::kNone},
      {U'😀', Script::kNone},       {U'ꓐ', Script::kOther}};
  for (const auto& [c, script] : cases)
    EXPECT_EQ(script_of(c), script) << static_cast<std::uint32_t>(c);
}

}  // namespace
}  // namespace hone::datasets::audit
