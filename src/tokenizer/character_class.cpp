#include "tokenizer/character_class.h"

#include <string>

#include "tokenizer/regex.h"

namespace hone::tokenizer {
namespace {

// Unicode has assigned nothing else but private use, which is in no class.
constexpr TextRange kAssigned[] = {{0, 0xD800}, {0xE000, 0x34000}, {0xE0000, 0xE1000}};

std::string assigned_characters() {
  std::string text;
  for (const TextRange& range : kAssigned) {
    for (std::size_t c = range.begin; c < range.end; ++c) {
      append_utf8(text, static_cast<char32_t>(c));
    }
  }
  return text;
}

}  // namespace

const CharacterClasses& CharacterClasses::instance() {
  static const CharacterClasses classes;
  return classes;
}

CharacterClasses::CharacterClasses() : classes_(kAssigned[2].end) {
  const std::string text = assigned_characters();
  add(R"(\p{L}+)", kLetterClass, text);
  add(R"(\p{N}+)", kNumberClass, text);
  add(R"(\s+)", kSpaceClass, text);
  add(R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+)", kUpperClass, text);
  add(R"([\p{Ll}\p{Lm}\p{Lo}\p{M}]+)", kLowerClass, text);
  add(R"([\r\n]+)", kLineBreakClass, text);
}

void CharacterClasses::add(const char* pattern, CharacterClass bit,
                           std::string_view all_characters) {
  const Regex regex(pattern);
  std::size_t from = 0;
  while (const auto match = regex.find(all_characters, from)) {
    for (std::size_t i = match->begin; i < match->end;) {
      const CodePoint point = code_point_at(all_characters, i);
      classes_[point.value] |= bit;
      i += point.size_bytes;
    }
    from = match->end;
  }
}

}  // namespace hone::tokenizer
