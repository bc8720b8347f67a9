#include "eval/words.h"

#include <algorithm>

#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace hone::eval {

std::string blanks_for_spaces(std::string_view text, bool keep_newlines) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const tokenizer::CodePoint c = tokenizer::code_point_at(text, i);
    // Python counts the ASCII separators 1C to 1F among the spaces; Unicode does not.
    const bool is_space = tokenizer::is_whitespace(c.value) || (c.value >= 0x1C && c.value <= 0x1F);
    if (is_space && !(keep_newlines && c.value == '\n')) {
      result += ' ';
    } else {
      result += text.substr(i, c.size_bytes);
    }
    i += c.size_bytes;
  }
  return result;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t i = 0; (i = text.find_first_not_of(' ', i)) != std::string_view::npos;) {
    const std::size_t end = std::min(text.find(' ', i), text.size());
    words.emplace_back(text.substr(i, end - i));
    i = end;
  }
  return words;
}

}  // namespace hone::eval
