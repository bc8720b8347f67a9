#include "tokenizer/jinja/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <utility>

#include "tokenizer/jinja/value.h"
#include "tokenizer/utf8.h"

namespace hone::tokenizer::jinja {
namespace {

// Longer ones first.
constexpr std::array<std::string_view, 26> kOperators = {
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
    "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

[[noreturn]] void fail(const std::string& message) {
  throw TemplateFault("TemplateSyntaxError", message);
}

/// Takes back what Python's unicode-escape codec puts in.
class Unescaper {
 public:
  explicit Unescaper(std::string_view text) : text_(text) {}

  std::string run() {
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '\\' && at_ < text_.size()) {
        escape(text_[at_++]);
      } else {
        out_ += c;
      }
    }
    return std::move(out_);
  }

 private:
  void escape(char c) {
    constexpr std::string_view kFrom = "ntrbfva\\'\"", kTo = "\n\t\r\b\f\v\a\\'\"";
    if (const auto place = kFrom.find(c); place != std::string_view::npos) {
      out_ += kTo[place];
    } else if (c == '\n') {  // a line that goes on
    } else if (c == 'x') {
      code_point(2, 16);
    } else if (c == 'u') {
      code_point(4, 16);
    } else if (c == 'U') {
      code_point(8, 16);
    } else if (c >= '0' && c <= '7') {
      --at_;
      std::size_t digits = 0;
      while (digits < 3 && at_ + digits < text_.size() && text_[at_ + digits] >= '0' &&
             text_[at_ + digits] <= '7')
        ++digits;
      code_point(digits, 8);
    } else if (c == 'N') {
      fail("characters by name (\\N{...}) are not supported; write the character itself");
    } else {
      out_ += '\\';
      out_ += c;
    }
  }

  void code_point(std::size_t digits, int base) {
    const char* first = text_.data() + at_;
    std::uint32_t value = 0;
    if (at_ + digits > text_.size()) fail("truncated escape in a string");
    const auto [end, error] = std::from_chars(first, first + digits, value, base);
    if (error != std::errc() || end != first + digits) fail("truncated escape in a string");
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
      fail("an escape in a string that is no character");
    append_utf8(out_, static_cast<char32_t>(value));
    at_ += digits;
  }

  std::string_view text_;
  std::string out_;
  std::size_t at_ = 0;
};

class Lexer {
 public:
  Lexer(const std::string& source, std::size_t& position) : source_(source), at_(position) {}

  std::vector<Token> run() {
    at_ = 0;
    while (at_ < source_.size()) read_text();
    add(Token::kEnd, "end of template", at_);
    return std::move(tokens_);
  }

 private:
  std::string_view rest() const { return std::string_view(source_).substr(at_); }
  bool stands(std::string_view text) const { return rest().starts_with(text); }

  void add(Token::Type type, std::string value, std::size_t pos) {
    tokens_.push_back({type, std::move(value), pos});
  }

  std::size_t space_end(std::size_t at) const {
    while (at < source_.size()) {
      const CodePoint point = code_point_at(source_, at);
      if (!is_python_space(point.value)) break;
      at += point.size_bytes;
    }
    return at;
  }
  bool is_space(std::string_view text) const { return strip(Text(text), true, true).empty(); }

  /// Text up to the next tag, and the tag.
  void read_text() {
    std::size_t begin = at_;
    do {
      begin = source_.find('{', begin);
      if (begin == std::string::npos || begin + 1 >= source_.size()) {
        add_text(rest(), at_);
        at_ = source_.size();
        return;
      }
    } while (std::string_view("{%#").find(source_[begin + 1]) == std::string_view::npos && ++begin);
    const char kind = source_[begin + 1];
    const std::string_view text = rest().substr(0, begin - at_);
    const char sign = begin + 2 < source_.size() ? source_[begin + 2] : '\0';
    add_text(before_tag(text, sign, kind == '{'), at_);
    at_ = begin + 2 + (sign == '-' || sign == '+' ? 1 : 0);
    if (kind == '#') return read_comment(begin);
    if (kind == '%' && read_raw()) return;
    add(kind == '{' ? Token::kPrintBegin : Token::kTagBegin, std::string(2, kind), begin);
    read_tag(kind == '{');
  }

  void add_text(std::string_view text, std::size_t pos) {
    if (!text.empty()) add(Token::kText, std::string(text), pos);
  }

  /// What remains of text in front of a tag with that sign behind its bracket.
  std::string_view before_tag(std::string_view text, char sign, bool is_print) const {
    if (sign == '-') return text.substr(0, strip(Text(text), false, true).size());
    if (sign == '+' || is_print) return text;
    const std::size_t line = text.rfind('\n') + 1;  // 0 where there is none
    if ((line > 0 || at_line_start_) && is_space(text.substr(line))) return text.substr(0, line);
    return text;
  }

  /// At the end of a tag: takes `close`, with the sign before it and the white space that goes.
  bool take_end(std::string_view close, bool trims_newline) {
    const std::size_t begin = at_;
    const bool minus = stands("-"), plus = trims_newline && stands("+");
    if (!rest().substr(minus || plus ? 1 : 0).starts_with(close)) return false;
    at_ += close.size() + (minus || plus ? 1 : 0);
    if (minus) {
      at_ = space_end(at_);
    } else if (trims_newline && !plus && stands("\n")) {
      ++at_;
    }
    at_line_start_ = at_ > begin && source_[at_ - 1] == '\n';
    return true;
  }

  void read_comment(std::size_t begin) {
    for (; at_ < source_.size(); ++at_)
      if (take_end("#}", true)) return;
    at_ = begin;
    fail("missing end of comment tag");
  }

  /// `raw %}` … `{% endraw %}`, where that is what stands here.
  bool read_raw() {
    const std::size_t begin = at_;
    at_ = space_end(at_);
    if (stands("raw")) {
      at_ = space_end(at_ + 3);
      if (take_end("%}", false)) {
        read_raw_text(begin);
        return true;
      }
    }
    at_ = begin;
    return false;
  }

  void read_raw_text(std::size_t begin) {
    const std::size_t text_begin = at_;
    for (std::size_t tag = source_.find("{%", at_); tag != std::string::npos;
         tag = source_.find("{%", tag + 1)) {
      at_ = tag + 2;
      const char sign = at_ < source_.size() ? source_[at_] : '\0';
      if (sign == '-' || sign == '+') ++at_;
      at_ = space_end(at_);
      if (!stands("endraw")) continue;
      at_ = space_end(at_ + 6);
      const bool was_line_start = at_line_start_;
      if (!take_end("%}", true)) continue;
      const bool is_line_start = std::exchange(at_line_start_, was_line_start);
      add_text(
          before_tag(std::string_view(source_).substr(text_begin, tag - text_begin), sign, false),
          text_begin);
      at_line_start_ = is_line_start;
      return;
    }
    at_ = begin;
    fail("missing end of raw directive");
  }

  void read_tag(bool is_print) {
    std::string open;  // brackets that wait for their ends
    while (true) {
      at_ = space_end(at_);
      if (at_ >= source_.size()) fail("unexpected end of template");
      const std::size_t pos = at_;
      if (open.empty() && take_end(is_print ? "}}" : "%}", !is_print)) {
        add(is_print ? Token::kPrintEnd : Token::kTagEnd, is_print ? "}}" : "%}", pos);
        return;
      }
      const char c = source_[at_];
      if (is_digit(c)) {
        read_number();
      } else if (is_word(c)) {
        while (at_ < source_.size() && is_word(source_[at_])) ++at_;
        add(Token::kName, source_.substr(pos, at_ - pos), pos);
      } else if (c == '\'' || c == '"') {
        read_string(c);
      } else {
        read_operator(open);
      }
    }
  }

  std::size_t digits_end(std::size_t at) const {
    while (at < source_.size() &&
           (is_digit(source_[at]) ||
            (source_[at] == '_' && at + 1 < source_.size() && is_digit(source_[at + 1]))))
      ++at;
    return at;
  }

  void read_number() {
    const std::size_t pos = at_;
    std::size_t end = digits_end(at_);
    bool is_float = false;
    const auto digit_at = [&](std::size_t at) {
      return at < source_.size() && is_digit(source_[at]);
    };
    if (pos == 0 || source_[pos - 1] != '.') {
      if (end < source_.size() && source_[end] == '.' && digit_at(end + 1)) {
        is_float = true;
        end = digits_end(end + 1);
      }
      if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
        const bool has_sign =
            end + 1 < source_.size() && (source_[end + 1] == '+' || source_[end + 1] == '-');
        if (digit_at(end + 1 + has_sign)) {
          is_float = true;
          end = digits_end(end + 1 + has_sign);
        }
      }
    }
    if (is_float) {
      std::string digits = source_.substr(pos, end - pos);
      std::erase(digits, '_');
      at_ = end;
      tokens_.push_back({Token::kFloat, digits, pos, 0, std::strtod(digits.c_str(), nullptr)});
    } else {
      read_integer(end);
    }
  }

  /// Decimal digits up to `end`, or 0b, 0o, 0x and what follows.
  void read_integer(std::size_t end) {
    const std::size_t pos = at_;
    int base = 10;
    if (source_[pos] == '0' && pos + 2 < source_.size()) {
      const char kind = static_cast<char>(source_[pos + 1] | 0x20);
      base = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 10;
    }
    if (base != 10) {
      end = pos + 2;
      while (end < source_.size() && is_word(source_[end])) ++end;
    }
    std::string digits = source_.substr(pos, end - pos);
    std::erase(digits, '_');
    const char* first = digits.data() + (base == 10 ? 0 : 2);
    std::int64_t value = 0;
    const auto [last, error] = std::from_chars(first, digits.data() + digits.size(), value, base);
    if (error != std::errc() || last != digits.data() + digits.size())
      fail(fmt::format("{} is no integer of 64 bits", digits));
    at_ = end;
    tokens_.push_back({Token::kInteger, digits, pos, value});
  }

  void read_string(char quote) {
    const std::size_t pos = at_;
    std::size_t end = pos + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail("a string without an end");
    add(Token::kString, Unescaper(std::string_view(source_).substr(pos + 1, end - pos - 1)).run(),
        pos);
    at_ = end + 1;
  }

  void read_operator(std::string& open) {
    for (const std::string_view op : kOperators) {
      if (!stands(op)) continue;
      if (op == "(" || op == "[" || op == "{") open += op == "(" ? ')' : op == "[" ? ']' : '}';
      if (op == ")" || op == "]" || op == "}") {
        if (open.empty()) fail(fmt::format("unexpected '{}'", op));
        if (open.back() != op[0])
          fail(fmt::format("unexpected '{}', expected '{}'", op, open.back()));
        open.pop_back();
      }
      add(Token::kOperator, std::string(op), at_);
      at_ += op.size();
      return;
    }
    fail(fmt::format("unexpected char '{}'", source_[at_]));
  }

  const std::string& source_;
  std::size_t& at_;
  std::vector<Token> tokens_;
  bool at_line_start_ = true;  // the last thing read ended with a newline, or nothing is read yet
};

}  // namespace

std::string normalise_source(std::string_view source) {
  std::string result;
  result.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    result += source[i] == '\r' ? '\n' : source[i];
  }
  if (result.ends_with('\n')) result.pop_back();
  return result;
}

std::vector<Token> tokenize(const std::string& source, std::size_t& position) {
  return Lexer(source, position).run();
}

}  // namespace hone::tokenizer::jinja
