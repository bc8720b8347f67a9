#include "eval/rouge.h"

#include <algorithm>
#include <string>
#include <vector>

#include "eval/words.h"
#include "tokenizer/utf8.h"

namespace hone::eval {
namespace {

/// Two characters beyond ASCII become letters when Python lower-cases them: the Kelvin sign, and
/// the dotted I (whose dot becomes a mark of its own, and so ends the word).
constexpr char32_t kKelvin = 0x212A, kDottedI = 0x130;

std::vector<std::string> rouge_words(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size();) {
    const auto [c, size] = tokenizer::code_point_at(text, i);
    i += size;
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      plain += static_cast<char>(c);
    } else if (c >= 'A' && c <= 'Z') {
      plain += static_cast<char>(c - 'A' + 'a');
    } else {
      plain += c == kKelvin ? "k" : c == kDottedI ? "i " : " ";
    }
  }
  return words_of(plain);
}

std::size_t common_subsequence(const std::vector<std::string>& a,
                               const std::vector<std::string>& b) {
  std::vector<std::size_t> lengths(b.size() + 1, 0);  // of a's words so far and b's first j
  for (const std::string& word : a) {
    std::size_t diagonal = 0;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t above = lengths[j + 1];
      lengths[j + 1] = word == b[j] ? diagonal + 1 : std::max(above, lengths[j]);
      diagonal = above;
    }
  }
  return lengths.back();
}

}  // namespace

double rouge_l_f1(std::string_view answer, std::string_view reference) {
  const std::vector<std::string> given = rouge_words(answer), expected = rouge_words(reference);
  if (given.empty() || expected.empty()) return 0;
  // 2PR / (P + R) with P = common / given and R = common / expected.
  return 2.0 * double(common_subsequence(given, expected)) / double(given.size() + expected.size());
}

}  // namespace hone::eval
