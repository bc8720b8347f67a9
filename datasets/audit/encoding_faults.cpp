#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "datasets/audit/text_faults.h"
#include "io/utf8.h"
#include "tokenizer/utf8.h"

namespace hone::datasets::audit {
namespace {

/// C0 but tab and line ends, DEL, C1, overrides of the writing direction, U+FFFD, noncharacters.
bool is_stray_control(char32_t c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x202D || c == 0x202E || c == 0xFFFD ||
         (c & 0xFFFE) == 0xFFFE || (c >= 0xFDD0 && c <= 0xFDEF);
}

// Windows-1252 from 0x80 to 0x9F; the five places that it leaves free are C1 controls, as web
// browsers read them.
constexpr std::array<char16_t, 32> kWindows1252 = {
    0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x8D,   0x017D, 0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};

/// The byte that Windows-1252 reads as `c`; 0 where none at or above 0x80 does.
unsigned char byte_of(char32_t c) {
  if (c >= 0xA0 && c <= 0xFF) return static_cast<unsigned char>(c);
  const auto found = std::find(kWindows1252.begin(), kWindows1252.end(), c);
  return found == kWindows1252.end()
             ? 0
             : static_cast<unsigned char>(0x80 + (found - kWindows1252.begin()));
}

/// Characters that stand for bytes of one character of UTF-8.
struct Garbled {
  tokenizer::TextRange range;
  std::string meant;
};

/// At byte `at` of `text`: what one character of UTF-8 was turned into.
std::optional<Garbled> sequence_at(std::string_view text, std::size_t at) {
  std::string bytes;
  std::size_t end = at;
  while (end < text.size() && bytes.size() < 4) {
    const tokenizer::CodePoint c = tokenizer::code_point_at(text, end);
    const unsigned char byte = byte_of(c.value);
    if (byte == 0) break;
    bytes += static_cast<char>(byte);
    end += c.size_bytes;
    if (bytes.size() > 1 && !io::first_invalid_utf8(bytes))
      return Garbled{{at, end}, std::move(bytes)};
    if (bytes.size() > 1 && !io::is_utf8_continuation(bytes.back())) break;
  }
  return std::nullopt;
}

/// A run of such sequences. Two characters by chance make one ("É»" at the end of a quotation), so
/// a single short one counts only where it begins as Western text does: Ã or Â.
std::optional<Garbled> garbled_from(std::string_view text, std::size_t from) {
  for (std::size_t at = from; at < text.size();) {
    auto run = sequence_at(text, at);
    if (!run) {
      at += tokenizer::code_point_at(text, at).size_bytes;
      continue;
    }
    const bool western = run->meant[0] == '\xC3' || run->meant[0] == '\xC2';
    const bool is_long = run->meant.size() > 2;
    std::size_t sequences = 1;
    while (const auto more = sequence_at(text, run->range.end)) {
      run->range.end = more->range.end;
      run->meant += more->meant;
      ++sequences;
    }
    if (western || is_long || sequences > 1) return run;
    at = run->range.end;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> find_control_characters(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const tokenizer::CodePoint c = tokenizer::code_point_at(text, i);
    if (is_stray_control(c.value))
      return fmt::format("U+{:04X} at byte {}", static_cast<std::uint32_t>(c.value), i);
    i += c.size_bytes;
  }
  return std::nullopt;
}

std::string without_control_characters(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const tokenizer::CodePoint c = tokenizer::code_point_at(text, i);
    if (!is_stray_control(c.value)) result.append(text.substr(i, c.size_bytes));
    i += c.size_bytes;
  }
  return result;
}

std::optional<std::string> find_mojibake(std::string_view text) {
  const auto found = garbled_from(text, 0);
  if (!found) return std::nullopt;
  return fmt::format("“{}” for “{}”", text.substr(found->range.begin, found->range.size()),
                     found->meant);
}

std::string with_mojibake_repaired(std::string_view text) {
  std::string result;
  std::size_t done = 0;
  while (const auto found = garbled_from(text, done)) {
    result += text.substr(done, found->range.begin - done);
    result += found->meant;
    done = found->range.end;
  }
  return result.append(text.substr(done));
}

std::string excerpt(std::string_view text, std::size_t characters) {
  std::string result;
  std::size_t i = 0;
  while (i < text.size() && io::is_utf8_continuation(text[i])) ++i;  // a cut before it
  for (; i < text.size() && characters > 0; --characters) {
    const tokenizer::CodePoint c = tokenizer::code_point_at(text, i);
    if (i + c.size_bytes > text.size()) break;
    if (c.value == '\n') {
      result += "↵";
    } else if (c.value == '\t') {
      result += ' ';
    } else if (is_stray_control(c.value) || c.value == '\r') {
      result += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c.value));
    } else {
      result.append(text.substr(i, c.size_bytes));
    }
    i += c.size_bytes;
  }
  return i < text.size() ? result + "…" : result;
}

}  // namespace hone::datasets::audit
