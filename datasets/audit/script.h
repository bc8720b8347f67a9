#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hone::datasets::audit {

/// Writing systems. Letters of none of the named ones are kOther; what is no letter is kNone.
enum class Script : std::uint8_t {
  kNone,
  kLatin,
  kGreek,
  kCyrillic,
  kArmenian,
  kHebrew,
  kArabic,
  kDevanagari,
  kBengali,
  kGurmukhi,
  kGujarati,
  kTamil,
  kTelugu,
  kKannada,
  kMalayalam,
  kSinhala,
  kThai,
  kLao,
  kTibetan,
  kMyanmar,
  kGeorgian,
  kHangul,
  kEthiopic,
  kKhmer,
  kKana,
  kHan,
  kOther,
};
inline constexpr std::size_t kScripts = static_cast<std::size_t>(Script::kOther) + 1;

/// "Latin", "Han", …; "other" and "none".
std::string_view script_name(Script script);

/// The script of a letter, by its block. Marks count with the letters of their block.
/// @source Unicode Character Database, Blocks.txt
Script script_of(char32_t c);

/// Written without spaces between words: each letter stands for a word of its own.
bool is_unspaced(Script script);

}  // namespace hone::datasets::audit
