#include "datasets/audit/script.h"

#include <algorithm>
#include <array>

#include "tokenizer/unicode.h"

namespace hone::datasets::audit {
namespace {

constexpr std::array<std::string_view, kScripts> kNames = {
    "none",       "Latin",    "Greek",    "Cyrillic", "Armenian", "Hebrew",  "Arabic",
    "Devanagari", "Bengali",  "Gurmukhi", "Gujarati", "Tamil",    "Telugu",  "Kannada",
    "Malayalam",  "Sinhala",  "Thai",     "Lao",      "Tibetan",  "Myanmar", "Georgian",
    "Hangul",     "Ethiopic", "Khmer",    "Kana",     "Han",      "other"};

struct Block {
  char32_t first, last;
  Script script;
};

// Ascending. Neighbouring blocks of one script are one entry.
constexpr std::array kBlocks = {
    Block{0x0041, 0x024F, Script::kLatin},     Block{0x0250, 0x02AF, Script::kLatin},
    Block{0x0370, 0x03FF, Script::kGreek},     Block{0x0400, 0x052F, Script::kCyrillic},
    Block{0x0531, 0x058F, Script::kArmenian},  Block{0x0590, 0x05FF, Script::kHebrew},
    Block{0x0600, 0x06FF, Script::kArabic},    Block{0x0750, 0x077F, Script::kArabic},
    Block{0x0870, 0x08FF, Script::kArabic},    Block{0x0900, 0x097F, Script::kDevanagari},
    Block{0x0980, 0x09FF, Script::kBengali},   Block{0x0A00, 0x0A7F, Script::kGurmukhi},
    Block{0x0A80, 0x0AFF, Script::kGujarati},  Block{0x0B80, 0x0BFF, Script::kTamil},
    Block{0x0C00, 0x0C7F, Script::kTelugu},    Block{0x0C80, 0x0CFF, Script::kKannada},
    Block{0x0D00, 0x0D7F, Script::kMalayalam}, Block{0x0D80, 0x0DFF, Script::kSinhala},
    Block{0x0E00, 0x0E7F, Script::kThai},      Block{0x0E80, 0x0EFF, Script::kLao},
    Block{0x0F00, 0x0FFF, Script::kTibetan},   Block{0x1000, 0x109F, Script::kMyanmar},
    Block{0x10A0, 0x10FF, Script::kGeorgian},  Block{0x1100, 0x11FF, Script::kHangul},
    Block{0x1200, 0x139F, Script::kEthiopic},  Block{0x1780, 0x17FF, Script::kKhmer},
    Block{0x1C80, 0x1C8F, Script::kCyrillic},  Block{0x1C90, 0x1CBF, Script::kGeorgian},
    Block{0x1E00, 0x1EFF, Script::kLatin},     Block{0x1F00, 0x1FFF, Script::kGreek},
    Block{0x2C60, 0x2C7F, Script::kLatin},     Block{0x2D00, 0x2D2F, Script::kGeorgian},
    Block{0x2D80, 0x2DDF, Script::kEthiopic},  Block{0x2DE0, 0x2DFF, Script::kCyrillic},
    Block{0x2E80, 0x2FDF, Script::kHan},       Block{0x3005, 0x3007, Script::kHan},
    Block{0x3040, 0x30FF, Script::kKana},      Block{0x3130, 0x318F, Script::kHangul},
    Block{0x31F0, 0x31FF, Script::kKana},      Block{0x3400, 0x4DBF, Script::kHan},
    Block{0x4E00, 0x9FFF, Script::kHan},       Block{0xA640, 0xA69F, Script::kCyrillic},
    Block{0xA720, 0xA7FF, Script::kLatin},     Block{0xA960, 0xA97F, Script::kHangul},
    Block{0xAB30, 0xAB6F, Script::kLatin},     Block{0xAC00, 0xD7FF, Script::kHangul},
    Block{0xF900, 0xFAFF, Script::kHan},       Block{0xFB50, 0xFDFF, Script::kArabic},
    Block{0xFE70, 0xFEFE, Script::kArabic},    Block{0xFF21, 0xFF5A, Script::kLatin},
    Block{0xFF66, 0xFF9F, Script::kKana},      Block{0x20000, 0x323AF, Script::kHan},
};

}  // namespace

std::string_view script_name(Script script) { return kNames[static_cast<std::size_t>(script)]; }

Script script_of(char32_t c) {
  if (c < 0x80) {
    const char32_t lower = c | 0x20;
    return lower >= 'a' && lower <= 'z' ? Script::kLatin : Script::kNone;
  }
  if (!tokenizer::is_letter(c) && !tokenizer::is_combining_mark(c)) return Script::kNone;
  const auto after =
      std::upper_bound(kBlocks.begin(), kBlocks.end(), c,
                       [](char32_t value, const Block& b) { return value < b.first; });
  const Block& block = *std::prev(after);  // the first one begins at 'A'
  return c <= block.last ? block.script : Script::kOther;
}

bool is_unspaced(Script script) {
  switch (script) {
    case Script::kHan:
    case Script::kKana:
    case Script::kThai:
    case Script::kLao:
    case Script::kKhmer:
    case Script::kMyanmar:
    case Script::kTibetan:
      return true;
    default:
      return false;
  }
}

}  // namespace hone::datasets::audit
