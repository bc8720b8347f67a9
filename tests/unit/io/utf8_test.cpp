#include "io/utf8.h"

#include "support/support.h"

namespace hone::io {
namespace {

TEST(Utf8, FindsTheFirstByteThatIsWrong) {
  EXPECT_EQ(first_invalid_utf8("aé日🙂\xF4\x8F\xBF\xBF"), std::nullopt);
  EXPECT_EQ(first_invalid_utf8(""), std::nullopt);
  EXPECT_EQ(first_invalid_utf8("é\xC3"), 2u);             // cut
  EXPECT_EQ(first_invalid_utf8("a\x80"), 1u);             // continuation alone
  EXPECT_EQ(first_invalid_utf8("\xC0\x80"), 0u);          // overlong
  EXPECT_EQ(first_invalid_utf8("ab\xE0\x80\x80"), 2u);    // overlong
  EXPECT_EQ(first_invalid_utf8("\xED\xA0\x80"), 0u);      // surrogate
  EXPECT_EQ(first_invalid_utf8("\xF4\x90\x80\x80"), 0u);  // beyond U+10FFFF
  EXPECT_EQ(first_invalid_utf8("\xE6\x97z"), 0u);         // cut inside a text
  EXPECT_EQ(first_invalid_utf8("é\xFE"), 2u);
}

// The slow search must find a place wherever the fast check finds a fault, for all short inputs
// over bytes from every class.
TEST(Utf8, SearchAgreesWithTheFastCheck) {
  const std::string alphabet = "a\x80\x8F\x90\x9F\xA0\xBF\xC1\xC2\xE0\xED\xEF\xF0\xF4\xF5";
  const std::size_t n = alphabet.size();
  std::size_t valid = 0;
  for (std::size_t code = 0; code < n * n * n * n; ++code) {
    std::string text;
    for (std::size_t rest = code, i = 0; i < 4; ++i, rest /= n) text += alphabet[rest % n];
    const auto at = first_invalid_utf8(text);
    if (at) {
      EXPECT_EQ(first_invalid_utf8(text.substr(0, *at)), std::nullopt);
    }
    valid += !at;
  }
  // a: 1 way, C2+6, E0+2*6, ED+4*6, EF+6*6, F0+4*36, F4+3*36 (of 4 bytes), composed to 4 bytes
  const std::size_t one = 1, two = 6, three = (2 + 4 + 6) * 6, four = (4 + 2) * 36;
  EXPECT_EQ(valid, one + 3 * two + two * two + 2 * three + four);
}

TEST(Utf8, CountsCodePoints) {
  EXPECT_EQ(count_code_points(""), 0u);
  EXPECT_EQ(count_code_points("aé日🙂"), 4u);
}

}  // namespace
}  // namespace hone::io
