#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/utf8.h"

namespace hone::tokenizer {

/// Sets of characters that splitting patterns are written with, as bits of one byte.
enum CharacterClass : std::uint8_t {
  kLetterClass = 1,      ///< \p{L}
  kNumberClass = 2,      ///< \p{N}
  kSpaceClass = 4,       ///< \s
  kUpperClass = 8,       ///< [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
  kLowerClass = 16,      ///< [\p{Ll}\p{Lm}\p{Lo}\p{M}]
  kLineBreakClass = 32,  ///< [\r\n]
};

/// The classes of a character and the bytes it takes.
struct ClassifiedCharacter {
  std::uint8_t classes;
  std::uint8_t size_bytes;
};

/// The classes of every character, asked of PCRE2 once, so that hand-written splitters and compiled
/// patterns agree whatever version of Unicode the installed PCRE2 knows.
class CharacterClasses {
 public:
  static const CharacterClasses& instance();

  /// Reads the character at byte `position` of valid UTF-8.
  ClassifiedCharacter at(std::string_view text, std::size_t position) const {
    const auto lead = static_cast<unsigned char>(text[position]);
    if (lead < 0x80) return {classes_[lead], 1};
    const CodePoint point = code_point_at(text, position);
    const std::uint8_t classes = point.value < classes_.size() ? classes_[point.value] : 0;
    return {classes, static_cast<std::uint8_t>(point.size_bytes)};
  }

 private:
  CharacterClasses();
  void add(const char* pattern, CharacterClass bit, std::string_view all_characters);

  std::vector<std::uint8_t> classes_;  // by code point
};

}  // namespace hone::tokenizer
