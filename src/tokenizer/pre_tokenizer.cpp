#include "tokenizer/pre_tokenizer.h"

#include <array>
#include <utility>

#include "base/error.h"
#include "tokenizer/known_patterns.h"
#include "tokenizer/pattern.h"
#include "tokenizer/unicode.h"

namespace hone::tokenizer {
namespace {

// Splits every word with `find`, which appends the delimiters in one word.
template <class Find>
PreTokenizer make_splitter(Find find, SplitBehavior behavior, bool invert = false) {
  return [find = std::move(find), behavior, invert](PreTokenized& state) {
    constexpr std::size_t kExpectedWordBytes = 4;
    std::vector<TextRange> words, delimiters;
    words.reserve(state.words.size() + state.text.text().size() / kExpectedWordBytes);
    for (const TextRange& word : state.words) {
      delimiters.clear();
      find(state.word(word), delimiters);
      split_at(word, delimiters, behavior, invert, words);
    }
    state.words = std::move(words);
  };
}

PreTokenizer make_pattern_splitter(Pattern pattern, SplitBehavior behavior, bool invert = false) {
  return make_splitter(
      [pattern = std::move(pattern)](std::string_view word, std::vector<TextRange>& delimiters) {
        pattern.find_all(word, delimiters);
      },
      behavior, invert);
}

// Each character that satisfies a predicate is a delimiter of its own.
PreTokenizer make_character_splitter(bool (*is_delimiter)(char32_t), SplitBehavior behavior) {
  std::array<bool, 0x80> is_ascii_delimiter;
  for (char32_t c = 0; c < 0x80; ++c) is_ascii_delimiter[c] = is_delimiter(c);
  return make_splitter(
      [is_delimiter, is_ascii_delimiter](std::string_view word,
                                         std::vector<TextRange>& delimiters) {
        for (std::size_t i = 0; i < word.size();) {
          const CodePoint point = code_point_at(word, i);
          if (point.value < 0x80 ? is_ascii_delimiter[point.value] : is_delimiter(point.value)) {
            delimiters.push_back({i, i + point.size_bytes});
          }
          i += point.size_bytes;
        }
      },
      behavior);
}

// Puts `prefix` before the words that `wants` it; the prefix stands for the first character.
template <class Wants>
void prepend_to_words(PreTokenized& state, std::string_view prefix, Wants wants) {
  AlignedText::Edit edit(state.text);
  std::vector<TextRange> words;
  for (const TextRange& word : state.words) {
    const std::size_t begin = edit.size_bytes();
    if (wants(word)) {
      const std::size_t first = code_point_at(state.text.text(), word.begin).size_bytes;
      edit.append(prefix, word.begin, word.begin + first);
    }
    edit.keep(word.begin, word.end);
    words.push_back({begin, edit.size_bytes()});
  }
  edit.commit();
  state.words = std::move(words);
}

PreTokenizer make_byte_level(bool add_prefix_space, bool use_regex) {
  const PreTokenizer split =
      use_regex ? make_pattern_splitter(Pattern(Regex(kGpt2Pattern)), SplitBehavior::kIsolated)
                : PreTokenizer();
  return [split, add_prefix_space](PreTokenized& state) {
    if (add_prefix_space) {
      prepend_to_words(state, " ",
                       [&](const TextRange& word) { return !state.word(word).starts_with(' '); });
    }
    if (split) split(state);
  };
}

void replace_spaces(PreTokenized& state, std::string_view replacement) {
  AlignedText::Edit edit(state.text);
  std::vector<TextRange> words;
  for (const TextRange& word : state.words) {
    const std::size_t begin = edit.size_bytes();
    for (std::size_t i = word.begin; i < word.end; ++i) {
      if (state.text.text()[i] == ' ') {
        edit.append(replacement, i, i + 1);
      } else {
        edit.keep(i, i + 1);
      }
    }
    words.push_back({begin, edit.size_bytes()});
  }
  edit.commit();
  state.words = std::move(words);
}

PreTokenizer make_metaspace(const JsonField& field) {
  const std::string replacement = field.string_or("replacement", "\u2581");
  const bool legacy_prefix = field.boolean_or("add_prefix_space", true);
  const std::string scheme = field.string_or("prepend_scheme", legacy_prefix ? "always" : "never");
  HONE_CHECK(DataError, scheme == "always" || scheme == "first" || scheme == "never",
             "{}.prepend_scheme: `{}` is none of always, first, never", field.place, scheme);
  PreTokenizer split;
  if (field.boolean_or("split", true)) {
    split = make_pattern_splitter(Pattern(Regex(escape_regex(replacement))),
                                  SplitBehavior::kMergedWithNext);
  }
  return [replacement, scheme, split](PreTokenized& state) {
    replace_spaces(state, replacement);
    prepend_to_words(state, replacement, [&](const TextRange& word) {
      if (scheme == "never" || state.word(word).starts_with(replacement)) return false;
      return scheme == "always" || state.text.source_range(word.begin, word.end).begin == 0;
    });
    if (split) split(state);
  };
}

PreTokenizer make_sequence(const JsonField& list) {
  std::vector<PreTokenizer> steps;
  for (std::size_t i = 0; i < list.size(); ++i) steps.push_back(make_pre_tokenizer(list.at(i)));
  return [steps = std::move(steps)](PreTokenized& state) {
    for (const PreTokenizer& step : steps) step(state);
  };
}

PreTokenizer make_split(const JsonField& field) {
  return make_pattern_splitter(Pattern(field.at("pattern")),
                               parse_split_behavior(field.at("behavior")),
                               field.boolean_or("invert", false));
}

}  // namespace

PreTokenizer make_pre_tokenizer(const JsonField& field) {
  if (!field) return [](PreTokenized&) {};
  const std::string type = field.at("type").string();
  if (type == "Sequence") return make_sequence(field.at("pretokenizers"));
  if (type == "Split") return make_split(field);
  if (type == "ByteLevel") {
    return make_byte_level(field.boolean_or("add_prefix_space", true),
                           field.boolean_or("use_regex", true));
  }
  if (type == "Digits") {
    return make_character_splitter(is_numeric, field.boolean_or("individual_digits", false)
                                                   ? SplitBehavior::kIsolated
                                                   : SplitBehavior::kContiguous);
  }
  if (type == "Whitespace") {
    return make_pattern_splitter(Pattern(Regex(R"(\w+|[^\w\s]+)")), SplitBehavior::kRemoved, true);
  }
  if (type == "WhitespaceSplit") {
    return make_character_splitter(is_whitespace, SplitBehavior::kRemoved);
  }
  if (type == "Punctuation") {
    const JsonField behavior = field.find("behavior");
    return make_character_splitter(
        is_punctuation, behavior ? parse_split_behavior(behavior) : SplitBehavior::kIsolated);
  }
  if (type == "CharDelimiterSplit") {
    return make_pattern_splitter(Pattern(Regex(escape_regex(field.at("delimiter").string()))),
                                 SplitBehavior::kRemoved);
  }
  if (type == "Metaspace") return make_metaspace(field);
  throw_unknown_type(field, type,
                     {"Sequence", "Split", "ByteLevel", "Digits", "Whitespace", "WhitespaceSplit",
                      "Punctuation", "CharDelimiterSplit", "Metaspace"});
}

bool is_byte_level(const JsonField& field) {
  if (!field) return false;
  const std::string type = field.at("type").string();
  if (type == "ByteLevel") return true;
  if (type != "Sequence") return false;
  const JsonField steps = field.at("pretokenizers");
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!is_byte_level(steps.at(i))) continue;
    HONE_CHECK(DataError, i + 1 == steps.size(),
               "{}: a step follows ByteLevel; hone supports ByteLevel as the last step only",
               steps.at(i).place);
    return true;
  }
  return false;
}

}  // namespace hone::tokenizer
