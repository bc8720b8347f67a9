#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hone::tokenizer {

/// A range [begin, end) of bytes, or of code points where said so.
struct TextRange {
  std::size_t begin = 0, end = 0;
  std::size_t size() const { return end - begin; }
  bool operator==(const TextRange&) const = default;
};

/// One decoded code point and the number of bytes it takes.
struct CodePoint {
  char32_t value;
  std::size_t size_bytes;
};

/// Bytes of the code point that begins with `lead`, in valid UTF-8.
inline std::size_t code_point_size(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// Reads the code point at byte `position` of valid UTF-8.
inline CodePoint code_point_at(std::string_view text, std::size_t position) {
  const auto byte = [&](std::size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[position + i]));
  };
  const char32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) return {((lead & 0x1F) << 6) | (byte(1) & 0x3F), 2};
  if (lead < 0xF0) {
    return {((lead & 0x0F) << 12) | ((byte(1) & 0x3F) << 6) | (byte(2) & 0x3F), 3};
  }
  return {
      ((lead & 0x07) << 18) | ((byte(1) & 0x3F) << 12) | ((byte(2) & 0x3F) << 6) | (byte(3) & 0x3F),
      4};
}

/// The code point that ends just before byte `position` (> 0) of valid UTF-8.
CodePoint code_point_before(std::string_view text, std::size_t position);

void append_utf8(std::string& text, char32_t code_point);

/// Refuses text that is not UTF-8.
/// @throws DataError naming the byte offset and the byte found; a caller adds file and line
void require_utf8(std::string_view text);

/// Replaces each invalid sequence by U+FFFD, one for each maximal prefix of a valid sequence, as
/// Rust's from_utf8_lossy and Python's errors="replace" do.
/// @source Unicode Standard, chapter 3, "U+FFFD Substitution of Maximal Subparts"
std::string replace_invalid_utf8(std::string_view text);

/// Turns byte ranges of `text` into code point ranges, as Hugging Face tokenizers report offsets.
/// @pre every border lies on a code point border of valid UTF-8
std::vector<TextRange> to_code_points(std::string_view text, const std::vector<TextRange>& bytes);

}  // namespace hone::tokenizer
