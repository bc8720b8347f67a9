#include "tokenizer/normalizer.h"

#include <optional>
#include <utility>
#include <vector>

#include "tokenizer/normalization_form.h"
#include "tokenizer/pattern.h"
#include "tokenizer/unicode.h"

namespace hone::tokenizer {
namespace {

Normalizer make_form(NormalizationForm form) {
  return [form](AlignedText& text) { normalize(text, form); };
}

// What a character becomes: itself (nullopt) or other characters, or nothing.
using CharacterMap = std::optional<std::u32string> (*)(char32_t);

Normalizer make_map(CharacterMap map) {
  return [map](AlignedText& text) {
    AlignedText::Edit edit(text);
    const std::string_view before = text.text();
    bool changed = false;
    for (std::size_t i = 0; i < before.size();) {
      const auto [value, size_bytes] = code_point_at(before, i);
      if (const auto mapped = map(value)) {
        changed = true;
        for (const char32_t c : *mapped) edit.append(c, i, i + size_bytes);
      } else {
        edit.keep(i, i + size_bytes);
      }
      i += size_bytes;
    }
    if (changed) edit.commit();
  };
}

std::optional<std::u32string> to_lower(char32_t c) {
  std::u32string lower = lower_case(c);
  if (lower.size() == 1 && lower[0] == c) return std::nullopt;
  return lower;
}

std::optional<std::u32string> without_mark(char32_t c) {
  if (is_mark(c)) return std::u32string();
  return std::nullopt;
}

// SentencePiece's nmt rules as Hugging Face tokenizers keep them: controls go, odd spaces become
// plain ones.
std::optional<std::u32string> nmt(char32_t c) {
  const bool removed = (c >= 0x1 && c <= 0x8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F ||
                       c == 0x8F || c == 0x9F;
  if (removed) return std::u32string();
  const bool space = c == 0x9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                     (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                     c == 0xFEFF || c == 0xFFFD;
  if (space) return std::u32string(U" ");
  return std::nullopt;
}

// What is prepended stands for the first character, as it does in Hugging Face tokenizers.
Normalizer make_prepend(std::string prefix) {
  return [prefix = std::move(prefix)](AlignedText& text) {
    if (text.text().empty()) return;
    AlignedText::Edit edit(text);
    edit.append(prefix, 0, code_point_at(text.text(), 0).size_bytes);
    edit.keep(0, text.text().size());
    edit.commit();
  };
}

Normalizer make_replace(const JsonField& field) {
  return [pattern = Pattern(field.at("pattern")),
          content = field.at("content").string()](AlignedText& text) {
    AlignedText::Edit edit(text);
    const std::string_view before = text.text();
    std::size_t done = 0;
    bool changed = false;
    for (const TextRange match : pattern.find_all(before)) {
      edit.keep(done, match.begin);
      edit.append(content, match.begin, match.end);
      done = match.end;
      changed = true;
    }
    if (!changed) return;
    edit.keep(done, before.size());
    edit.commit();
  };
}

Normalizer make_strip(bool left, bool right) {
  return [left, right](AlignedText& text) {
    const std::string_view before = text.text();
    std::size_t begin = 0, end = before.size();
    while (left && begin < end) {
      const CodePoint point = code_point_at(before, begin);
      if (!is_whitespace(point.value)) break;
      begin += point.size_bytes;
    }
    while (right && begin < end) {
      const CodePoint point = code_point_before(before, end);
      if (!is_whitespace(point.value)) break;
      end -= point.size_bytes;
    }
    if (end - begin == before.size()) return;
    AlignedText::Edit edit(text);
    edit.keep(begin, end);
    edit.commit();
  };
}

Normalizer make_sequence(const JsonField& list) {
  std::vector<Normalizer> steps;
  for (std::size_t i = 0; i < list.size(); ++i) steps.push_back(make_normalizer(list.at(i)));
  return [steps = std::move(steps)](AlignedText& text) {
    for (const Normalizer& step : steps) step(text);
  };
}

}  // namespace

Normalizer make_normalizer(const JsonField& field) {
  if (!field) return [](AlignedText&) {};
  const std::string type = field.at("type").string();
  if (type == "Sequence") return make_sequence(field.at("normalizers"));
  if (type == "NFC") return make_form(NormalizationForm::kNfc);
  if (type == "NFD") return make_form(NormalizationForm::kNfd);
  if (type == "NFKC") return make_form(NormalizationForm::kNfkc);
  if (type == "NFKD") return make_form(NormalizationForm::kNfkd);
  if (type == "Lowercase") return make_map(to_lower);
  if (type == "StripAccents") return make_map(without_mark);
  if (type == "Nmt") return make_map(nmt);
  if (type == "Prepend") return make_prepend(field.at("prepend").string());
  if (type == "Replace") return make_replace(field);
  if (type == "Strip") {
    return make_strip(field.boolean_or("strip_left", true), field.boolean_or("strip_right", true));
  }
  throw_unknown_type(field, type,
                     {"Sequence", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt",
                      "Prepend", "Replace", "Strip"});
}

}  // namespace hone::tokenizer
