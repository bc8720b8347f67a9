#include "tokenizer/normalization_form.h"

#include <gtest/gtest.h>
#include <unicode/uchar.h>
#include <utf8proc.h>

#include <cstdlib>
#include <memory>
#include <random>

namespace hone::tokenizer {
namespace {

std::string nfc(const std::string& source) {
  AlignedText text(source, {0, source.size()});
  normalize(text, NormalizationForm::kNfc);
  return std::string(text.text());
}

// utf8proc's own composition, which hone does not use for whole texts, as it keeps no alignment.
std::string reference_nfc(const std::string& source) {
  utf8proc_uint8_t* result = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(source.data()),
                   static_cast<utf8proc_ssize_t>(source.size()), &result,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(result, std::free);
  return {reinterpret_cast<const char*>(result), static_cast<std::size_t>(size)};
}

// Hugging Face tokenizers take normal forms from Unicode 9, utf8proc from a later one.
bool is_in_unicode_9(char32_t c) {
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(c), age);
  return age[0] > 0 && age[0] <= 9;
}

// utf8proc 2.8 takes it for a trailing consonant of Hangul and drops it.
constexpr char32_t kUtf8procDrops = 0x11A7;

TEST(NormalizationForm, NfcKeepsWhatIsNoTrailingConsonant) {
  for (const std::string text : {"\uAC00\u11A7", "\uAC00\u11A7\u0301"}) EXPECT_EQ(nfc(text), text);
  EXPECT_EQ(nfc("\uAC00\u11A8"), "\uAC01");
}

// A text of characters that surely stay as they are is not normalized at all.
TEST(NormalizationForm, NfcAgreesWithUtf8procOnEveryCharacterInItsPlace) {
  for (const std::string before : {"", "a", "\u0915", "\u1100", "\uAC00", "\u0301"}) {
    for (char32_t c = 1; c < 0x110000; ++c) {
      if ((c >= 0xD800 && c <= 0xDFFF) || c == kUtf8procDrops || !is_in_unicode_9(c)) continue;
      std::string text = before;
      append_utf8(text, c);
      ASSERT_EQ(nfc(text), reference_nfc(text)) << std::hex << static_cast<unsigned>(c);
    }
  }
}

// U+07FD is a mark of Unicode 11, which composes and reorders with nothing in Unicode 9.
TEST(NormalizationForm, NfcLeavesLaterCharactersAlone) {
  const std::string text = "\u07FD\u0301\u07FD";
  EXPECT_EQ(nfc(text), text);
}

TEST(NormalizationForm, NfcAgreesWithUtf8procOnRandomText) {
  std::mt19937 random(6);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (std::size_t i = 1 + random() % 12; i > 0; --i) {
      constexpr char32_t kFirst[] = {0x41,   0xC0,   0x300,  0x900, 0x1100,
                                     0x1E00, 0x3040, 0xAC00, 0xFB1D};
      const char32_t c = kFirst[random() % 9] + random() % 0x90;
      if (is_in_unicode_9(c)) append_utf8(text, c);
    }
    ASSERT_EQ(nfc(text), reference_nfc(text)) << text;
  }
}

}  // namespace
}  // namespace hone::tokenizer
