#include "tokenizer/utf8.h"

#include <cstddef>
#include <optional>

#include "base/error.h"
#include "io/utf8.h"

namespace hone::tokenizer {
namespace {

// The bytes of a well-formed sequence at `position`, or how many bytes of it are well formed.
struct Sequence {
  std::size_t size_bytes;
  bool valid;
};

Sequence read_sequence(std::string_view text, std::size_t position) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[position + i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {1, true};
  // The second byte's bounds exclude overlong forms, surrogates and values above U+10FFFF.
  std::size_t length = 0;
  unsigned char low = 0x80, high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {1, false};
  }
  for (std::size_t i = 1; i < length; ++i) {
    if (position + i >= text.size() || byte(i) < low || byte(i) > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {length, true};
}

}  // namespace

CodePoint code_point_before(std::string_view text, std::size_t position) {
  std::size_t begin = position - 1;
  while (begin > 0 && io::is_utf8_continuation(text[begin])) --begin;
  return code_point_at(text, begin);
}

void append_utf8(std::string& text, char32_t c) {
  const auto put = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

void require_utf8(std::string_view text) {
  const std::optional<std::size_t> bad = io::first_invalid_utf8(text);
  HONE_CHECK(DataError, !bad,
             "text is not UTF-8: byte 0x{:02X} at byte offset {} does not start or continue a "
             "character. Convert the file to UTF-8 (iconv -f <its encoding> -t UTF-8).",
             static_cast<unsigned>(static_cast<unsigned char>(text[*bad])), *bad);
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t position = 0; position < text.size();) {
    const Sequence sequence = read_sequence(text, position);
    if (sequence.valid) {
      result.append(text, position, sequence.size_bytes);
    } else {
      result.append("\xEF\xBF\xBD");
    }
    position += sequence.size_bytes;
  }
  return result;
}

std::vector<TextRange> to_code_points(std::string_view text, const std::vector<TextRange>& bytes) {
  // One pass where borders ascend, as they nearly always do; a step back counts back.
  std::size_t byte = 0, point = 0;
  const auto locate = [&](std::size_t target) {
    if (target < byte) {
      point -= io::count_code_points(text.substr(target, byte - target));
    } else {
      point += io::count_code_points(text.substr(byte, target - byte));
    }
    byte = target;
    return point;
  };
  std::vector<TextRange> result;
  result.reserve(bytes.size());
  for (const TextRange& range : bytes) {
    const std::size_t begin = locate(range.begin);
    result.push_back({begin, locate(range.end)});
  }
  return result;
}

}  // namespace hone::tokenizer
