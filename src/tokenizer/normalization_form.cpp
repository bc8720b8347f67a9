#include "tokenizer/normalization_form.h"

#include <algorithm>
#include <string>
#include <vector>

#include "tokenizer/text_transform.h"
#include "tokenizer/unicode.h"

namespace hone::tokenizer {
namespace {

struct Part : NewCharacter {
  int combining_class;
};

std::vector<Part> decompose(std::string_view text, bool compatibility) {
  std::vector<Part> parts;
  parts.reserve(text.size());
  std::u32string expanded;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = code_point_at(text, i);
    expanded.clear();
    append_decomposition(expanded, point.value, compatibility);
    for (std::size_t k = 0; k < expanded.size(); ++k) {
      parts.push_back({{expanded[k], k > 0}, combining_class(expanded[k])});
    }
    i += point.size_bytes;
  }
  return parts;
}

// Canonical ordering: runs of characters that combine are sorted by class, stably.
void reorder(std::vector<Part>& parts) {
  for (auto it = parts.begin(); it != parts.end();) {
    if (it->combining_class == 0) {
      ++it;
      continue;
    }
    const auto end =
        std::find_if(it, parts.end(), [](const Part& part) { return part.combining_class == 0; });
    std::stable_sort(it, end, [](const Part& a, const Part& b) {
      return a.combining_class < b.combining_class;
    });
    it = end;
  }
}

std::vector<Part> recompose(const std::vector<Part>& parts) {
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::vector<Part> result;
  result.reserve(parts.size());
  std::size_t starter = kNone;
  int last_class = 0;
  for (const Part& part : parts) {
    // A part is blocked from its starter by one between them of the same or a higher class.
    const bool adjacent = starter != kNone && starter + 1 == result.size();
    const bool blocked = starter == kNone || (!adjacent && last_class >= part.combining_class);
    if (!blocked) {
      if (const char32_t composed = compose(result[starter].value, part.value)) {
        result[starter].value = composed;
        result[starter].change += part.change - 1;
        continue;
      }
    }
    if (part.combining_class == 0) starter = result.size();
    last_class = part.combining_class;
    result.push_back(part);
  }
  return result;
}

// Whether the full decomposition of a character composes to it again.
bool composes_to(const std::u32string& parts, char32_t c) {
  char32_t composed = parts[0];
  for (std::size_t i = 1; i < parts.size() && composed != 0; ++i)
    composed = compose(composed, parts[i]);
  return composed == c;
}

// Which characters below U+30000 NFC leaves as they are, whatever stands around them: those that
// start a sequence, that their own decomposition gives back, and that nothing before them takes up.
std::vector<bool> find_stable_under_nfc() {
  constexpr char32_t kEnd = 0x30000;
  std::vector<bool> is_stable(kEnd);
  std::u32string taken_up, parts;
  for (char32_t c = 0; c < kEnd; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    parts.clear();
    append_decomposition(parts, c, false);
    if (parts.size() > 1) taken_up.push_back(parts.back());
    is_stable[c] = combining_class(c) == 0 && composes_to(parts, c);
  }
  for (const char32_t c : taken_up) is_stable[c] = false;
  return is_stable;
}

bool is_stable_under_nfc(char32_t c) {
  static const std::vector<bool> is_stable = find_stable_under_nfc();
  return c < is_stable.size() && is_stable[c];
}

// Nothing below U+00C0 decomposes canonically, and nothing below U+0300 changes under NFC.
bool is_surely_normal(std::string_view text, NormalizationForm form) {
  const char32_t first_affected = form == NormalizationForm::kNfc   ? 0x300
                                  : form == NormalizationForm::kNfd ? 0xC0
                                                                    : 0xA0;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = code_point_at(text, i);
    i += point.size_bytes;
    if (point.value < first_affected) continue;
    if (form != NormalizationForm::kNfc || !is_stable_under_nfc(point.value)) return false;
  }
  return true;
}

}  // namespace

void normalize(AlignedText& text, NormalizationForm form) {
  if (is_surely_normal(text.text(), form)) return;
  const bool compatibility = form == NormalizationForm::kNfkc || form == NormalizationForm::kNfkd;
  std::vector<Part> parts = decompose(text.text(), compatibility);
  reorder(parts);
  if (form == NormalizationForm::kNfc || form == NormalizationForm::kNfkc) parts = recompose(parts);
  const std::vector<NewCharacter> characters(parts.begin(), parts.end());
  transform(text, characters);
}

}  // namespace hone::tokenizer
