#pragma once

#include <string>
#include <string_view>
#include <vector>

/// Character properties as Rust's `char` and Python's `str` define them, and the crates that
/// Hugging Face tokenizers are built on; some of those keep to an older Unicode.
namespace hone::tokenizer {

/// White_Space of Unicode (Rust's char::is_whitespace).
bool is_whitespace(char32_t c);
/// General category N* (Rust's char::is_numeric).
bool is_numeric(char32_t c);
/// ASCII punctuation or general category P*.
bool is_punctuation(char32_t c);
/// Alphabetic characters, marks, decimal digits, connectors and joiners: \w of Rust's regex crate.
bool is_word_character(char32_t c);
/// General category M*.
bool is_combining_mark(char32_t c);
bool is_nonspacing_mark(char32_t c);
/// General category Cc, Cf, Cs, Co or Cn, except tab, newline and carriage return.
bool is_control(char32_t c);
/// The same without Cn.
bool is_assigned_control(char32_t c);
bool is_upper(char32_t c);
bool is_lower(char32_t c);
bool is_letter(char32_t c);

inline constexpr int kNoScript = -1;
/// The script that SentencePiece's trainer sees in a character: kana and its length mark count as
/// Han; a space and what is not assigned have none.
int piece_script(char32_t c);

/// Where the grapheme that begins at byte `begin` of valid UTF-8 ends (extended grapheme cluster).
std::size_t grapheme_end(std::string_view text, std::size_t begin);

int combining_class(char32_t c);
/// The full canonical or (compatibility) decomposition of one character.
void append_decomposition(std::u32string& out, char32_t c, bool compatibility);
/// The character that two compose to, or 0.
char32_t compose(char32_t first, char32_t second);

/// Full case mappings (one character may become several).
std::u32string lower_case(char32_t c);
std::u32string upper_case(char32_t c);

}  // namespace hone::tokenizer
