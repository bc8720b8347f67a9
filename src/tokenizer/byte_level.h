#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tokenizer/aligned_text.h"

namespace hone::tokenizer {

/// GPT-2's alphabet writes each of the 256 byte values as one printable character (space is Ġ), and
/// byte-level vocabularies are spelt in it. hone works on the bytes themselves and uses the
/// alphabet only to read and write vocabularies.
/// @source Radford et al. 2019, section 2.2, and its released encoder

/// The character that stands for a byte.
char32_t byte_to_letter(unsigned char byte);
/// The byte that a character stands for, if any.
std::optional<unsigned char> letter_to_byte(char32_t letter);

/// The bytes of a vocabulary entry; nothing when it holds a character outside the alphabet.
std::optional<std::string> letters_to_bytes(std::string_view letters);
std::string bytes_to_letters(std::string_view bytes);

/// Writes every byte of a text in the alphabet; each letter stands for the byte's whole character.
void spell_bytes(AlignedText& text);

}  // namespace hone::tokenizer
