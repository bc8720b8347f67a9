#include "tokenizer/normalizer.h"

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "io/utf8.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/charsmap.h"
#include "tokenizer/normalization_form.h"
#include "tokenizer/pattern.h"
#include "tokenizer/text_transform.h"
#include "tokenizer/unicode.h"

namespace hone::tokenizer {
namespace {

template <NormalizationForm form>
Normalizer make_form(const JsonField&) {
  return [](AlignedText& text) { normalize(text, form); };
}

// What a character becomes: itself (nullopt) or other characters, or nothing.
using CharacterMap = std::optional<std::u32string> (*)(char32_t);

void apply(CharacterMap map, AlignedText& text) {
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
}

template <CharacterMap map>
Normalizer make_map(const JsonField&) {
  return [](AlignedText& text) { apply(map, text); };
}

std::optional<std::u32string> to_lower(char32_t c) {
  std::u32string lower = lower_case(c);
  if (lower.size() == 1 && lower[0] == c) return std::nullopt;
  return lower;
}

std::optional<std::u32string> without_mark(char32_t c) {
  if (is_combining_mark(c)) return std::u32string();
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

std::optional<std::u32string> clean_text(char32_t c) {
  if (c == 0 || c == 0xFFFD || is_assigned_control(c)) return std::u32string();
  if (is_whitespace(c)) return std::u32string(U" ");
  return std::nullopt;
}

// Puts spaces around the characters that BERT calls Chinese: ideographs, and nothing else of CJK.
std::optional<std::u32string> isolate_ideograph(char32_t c) {
  const bool is_ideograph = (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
                            (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B81F) ||
                            (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) ||
                            (c >= 0x2F800 && c <= 0x2FA1F);
  if (is_ideograph) return std::u32string{U' ', c, U' '};
  return std::nullopt;
}

std::optional<std::u32string> without_nonspacing_mark(char32_t c) {
  if (is_nonspacing_mark(c)) return std::u32string();
  return std::nullopt;
}

Normalizer make_bert(const JsonField& field) {
  const bool clean = field.boolean_or("clean_text", true);
  const bool isolate = field.boolean_or("handle_chinese_chars", true);
  const bool lower = field.boolean_or("lowercase", true);
  const bool strip_accents = field.boolean_or("strip_accents", lower);
  return [=](AlignedText& text) {
    if (clean) apply(clean_text, text);
    if (isolate) apply(isolate_ideograph, text);
    if (strip_accents) {
      normalize(text, NormalizationForm::kNfd);
      apply(without_nonspacing_mark, text);
    }
    if (lower) apply(to_lower, text);
  };
}

Normalizer make_byte_level(const JsonField&) {
  return [](AlignedText& text) { spell_bytes(text); };
}

// Appends what takes the place of `size` characters.
void replace_characters(std::vector<NewCharacter>& characters, int size,
                        std::string_view replacement) {
  int count = 0;
  for (std::size_t i = 0; i < replacement.size(); ++count) {
    const CodePoint point = code_point_at(replacement, i);
    characters.push_back({point.value, count < size ? 0 : 1});
    i += point.size_bytes;
  }
  if (count < size && !characters.empty()) characters.back().change -= size - count;
}

// A rule is looked for at each short grapheme, else at each of its characters. It is the rule for
// the shortest sequence, and what the grapheme holds beyond that goes; so Hugging Face tokenizers
// have it.
Normalizer make_precompiled(const JsonField& field) {
  constexpr std::size_t kMaxGraphemeBytes = 5;
  const JsonField map = field.at("precompiled_charsmap");
  return [rules = Charsmap::from_base64(map.string())](AlignedText& text) {
    std::vector<NewCharacter> characters;
    bool changed = false;
    const auto replace = [&](std::string_view part) {
      const auto rule = rules.find_shortest(part);
      if (!rule) return false;
      replace_characters(characters, static_cast<int>(io::count_code_points(part)),
                         rule->replacement);
      return changed = true;
    };
    const std::string_view before = text.text();
    for (std::size_t begin = 0, end; begin < before.size(); begin = end) {
      end = grapheme_end(before, begin);
      const std::string_view grapheme = before.substr(begin, end - begin);
      if (grapheme.size() <= kMaxGraphemeBytes && replace(grapheme)) continue;
      for (std::size_t i = 0; i < grapheme.size();) {
        const CodePoint point = code_point_at(grapheme, i);
        if (!replace(grapheme.substr(i, point.size_bytes))) characters.push_back({point.value, 0});
        i += point.size_bytes;
      }
    }
    if (changed) transform(text, characters);
  };
}

// What is prepended stands for the first character, as it does in Hugging Face tokenizers.
Normalizer make_prepend(const JsonField& field) {
  return [prefix = field.at("prepend").string()](AlignedText& text) {
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
      // It stands for the last character before its place, as in Hugging Face tokenizers.
      const std::size_t last =
          match.end == 0 ? 0 : match.end - code_point_before(before, match.end).size_bytes;
      edit.append(content, last, match.end);
      done = match.end;
      changed = true;
    }
    if (!changed) return;
    edit.keep(done, before.size());
    edit.commit();
  };
}

Normalizer make_strip(const JsonField& field) {
  const bool left = field.boolean_or("strip_left", true);
  const bool right = field.boolean_or("strip_right", true);
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

Normalizer make_sequence(const JsonField& field) {
  const JsonField list = field.at("normalizers");
  std::vector<Normalizer> steps;
  for (std::size_t i = 0; i < list.array().size(); ++i) {
    steps.push_back(make_normalizer(list.at(i)));
  }
  return [steps = std::move(steps)](AlignedText& text) {
    for (const Normalizer& step : steps) step(text);
  };
}

struct NormalizerType {
  std::string_view type;
  Normalizer (*make)(const JsonField&);
};

constexpr std::array<NormalizerType, 14> kNormalizerTypes{{
    {"Sequence", make_sequence},
    {"NFC", make_form<NormalizationForm::kNfc>},
    {"NFD", make_form<NormalizationForm::kNfd>},
    {"NFKC", make_form<NormalizationForm::kNfkc>},
    {"NFKD", make_form<NormalizationForm::kNfkd>},
    {"Lowercase", make_map<to_lower>},
    {"StripAccents", make_map<without_mark>},
    {"Nmt", make_map<nmt>},
    {"Prepend", make_prepend},
    {"Replace", make_replace},
    {"Strip", make_strip},
    {"BertNormalizer", make_bert},
    {"ByteLevel", make_byte_level},
    {"Precompiled", make_precompiled},
}};

}  // namespace

Normalizer make_normalizer(const JsonField& field) {
  if (!field) return [](AlignedText&) {};
  return find_type(field, kNormalizerTypes).make(field);
}

}  // namespace hone::tokenizer
