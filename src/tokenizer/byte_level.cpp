#include "tokenizer/byte_level.h"

#include <array>

#include "tokenizer/utf8.h"

namespace hone::tokenizer {
namespace {

constexpr char32_t kFirstSubstitute = 256;
constexpr std::size_t kLetterLimit = 324;  // 256 + the 68 bytes that are not printable

bool is_printable(unsigned byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Alphabet {
  std::array<char32_t, 256> letters{};
  std::array<int, kLetterLimit> bytes{};

  Alphabet() {
    bytes.fill(-1);
    char32_t substitute = kFirstSubstitute;
    for (unsigned byte = 0; byte < 256; ++byte) {
      letters[byte] = is_printable(byte) ? byte : substitute++;
      bytes[letters[byte]] = static_cast<int>(byte);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

char32_t byte_to_letter(unsigned char byte) { return alphabet().letters[byte]; }

std::optional<unsigned char> letter_to_byte(char32_t letter) {
  if (letter >= kLetterLimit || alphabet().bytes[letter] < 0) return std::nullopt;
  return static_cast<unsigned char>(alphabet().bytes[letter]);
}

std::optional<std::string> letters_to_bytes(std::string_view letters) {
  std::string bytes;
  for (std::size_t i = 0; i < letters.size();) {
    const CodePoint point = code_point_at(letters, i);
    const auto byte = letter_to_byte(point.value);
    if (!byte) return std::nullopt;
    bytes.push_back(static_cast<char>(*byte));
    i += point.size_bytes;
  }
  return bytes;
}

std::string bytes_to_letters(std::string_view bytes) {
  std::string letters;
  for (const char byte : bytes)
    append_utf8(letters, byte_to_letter(static_cast<unsigned char>(byte)));
  return letters;
}

void spell_bytes(AlignedText& text) {
  const std::string_view before = text.text();
  AlignedText::Edit edit(text);
  for (std::size_t begin = 0; begin < before.size();) {
    const std::size_t end = begin + code_point_at(before, begin).size_bytes;
    for (std::size_t i = begin; i < end; ++i) {
      edit.append(byte_to_letter(static_cast<unsigned char>(before[i])), begin, end);
    }
    begin = end;
  }
  edit.commit();
}

}  // namespace hone::tokenizer
