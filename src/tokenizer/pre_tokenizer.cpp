#include "tokenizer/pre_tokenizer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "tokenizer/byte_level.h"
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

// What becomes of a character: it starts a piece, goes on with the last one, or goes.
enum class Cut { kBefore, kNone, kDrop };

// Asks a fresh copy of `decide` about the characters of each word, the first of which must not go
// on with anything.
template <class Decide>
PreTokenizer make_cutter(Decide decide) {
  return [decide](PreTokenized& state) {
    std::vector<TextRange> pieces;
    for (const TextRange& word : state.words) {
      Decide cut = decide;
      for (std::size_t i = word.begin; i < word.end;) {
        const CodePoint point = code_point_at(state.text.text(), i);
        const Cut verdict = cut(point.value);
        if (verdict == Cut::kBefore) pieces.push_back({i, i});
        i += point.size_bytes;
        if (verdict != Cut::kDrop) pieces.back().end = i;
      }
    }
    state.words = std::move(pieces);
  };
}

// Builds the text anew, word by word: `rewrite(edit, word)` appends what becomes of a word.
template <class Rewrite>
void rewrite_words(PreTokenized& state, Rewrite rewrite) {
  AlignedText::Edit edit(state.text);
  std::vector<TextRange> words;
  for (const TextRange& word : state.words) {
    const std::size_t begin = edit.size_bytes();
    rewrite(edit, word);
    words.push_back({begin, edit.size_bytes()});
  }
  edit.commit();
  state.words = std::move(words);
}

// Puts `prefix` before the words that `wants` it; the prefix stands for the first character.
template <class Wants>
void prepend_to_words(PreTokenized& state, std::string_view prefix, Wants wants) {
  rewrite_words(state, [&](AlignedText::Edit& edit, const TextRange& word) {
    if (wants(word)) {
      const std::size_t first = code_point_at(state.text.text(), word.begin).size_bytes;
      edit.append(prefix, word.begin, word.begin + first);
    }
    edit.keep(word.begin, word.end);
  });
}

// Writes the words in GPT-2's alphabet; each letter stands for its byte's whole character.
void spell_words(PreTokenized& state) {
  rewrite_words(state, [&](AlignedText::Edit& edit, const TextRange& word) {
    for (std::size_t i = word.begin; i < word.end; ++i) {
      edit.append(byte_to_letter(static_cast<unsigned char>(state.text.text()[i])), i, i + 1);
    }
  });
}

PreTokenizer make_byte_level(const JsonField& field, WordBytes bytes) {
  const bool add_prefix_space = field.boolean_or("add_prefix_space", true);
  const PreTokenizer split =
      field.boolean_or("use_regex", true)
          ? make_pattern_splitter(Pattern(Regex(kGpt2Pattern)), SplitBehavior::kIsolated)
          : PreTokenizer();
  return [=](PreTokenized& state) {
    if (add_prefix_space) {
      prepend_to_words(state, " ",
                       [&](const TextRange& word) { return !state.word(word).starts_with(' '); });
    }
    if (split) split(state);
    if (bytes == WordBytes::kSpelt) spell_words(state);
  };
}

void replace_spaces(PreTokenized& state, std::string_view replacement) {
  rewrite_words(state, [&](AlignedText::Edit& edit, const TextRange& word) {
    for (std::size_t i = word.begin; i < word.end; ++i) {
      if (state.text.text()[i] == ' ') {
        edit.append(replacement, i, i + 1);
      } else {
        edit.keep(i, i + 1);
      }
    }
  });
}

PreTokenizer make_metaspace(const JsonField& field, WordBytes) {
  const std::string replacement = field.string_or("replacement", "\u2581");
  const bool legacy_prefix = field.boolean_or("add_prefix_space", true);
  const std::string scheme = field.string_or("prepend_scheme", legacy_prefix ? "always" : "never");
  HONE_CHECK(DataError, !replacement.empty(), "{}.replacement is empty", field.place);
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

PreTokenizer make_sequence(const JsonField& field, WordBytes bytes) {
  const JsonField list = field.at("pretokenizers");
  std::vector<PreTokenizer> steps;
  for (std::size_t i = 0; i < list.array().size(); ++i) {
    steps.push_back(make_pre_tokenizer(list.at(i), bytes));
  }
  return [steps = std::move(steps)](PreTokenized& state) {
    for (const PreTokenizer& step : steps) step(state);
  };
}

PreTokenizer make_split(const JsonField& field, WordBytes) {
  return make_pattern_splitter(Pattern(field.at("pattern")),
                               parse_split_behavior(field.at("behavior")),
                               field.boolean_or("invert", false));
}

PreTokenizer make_digits(const JsonField& field, WordBytes) {
  return make_character_splitter(is_numeric, field.boolean_or("individual_digits", false)
                                                 ? SplitBehavior::kIsolated
                                                 : SplitBehavior::kContiguous);
}

PreTokenizer make_punctuation(const JsonField& field, WordBytes) {
  const JsonField behavior = field.find("behavior");
  return make_character_splitter(
      is_punctuation, behavior ? parse_split_behavior(behavior) : SplitBehavior::kIsolated);
}

PreTokenizer make_whitespace_split(const JsonField&, WordBytes) {
  return make_character_splitter(is_whitespace, SplitBehavior::kRemoved);
}

PreTokenizer make_bert(const JsonField& field, WordBytes bytes) {
  return [spaces = make_whitespace_split(field, bytes),
          punctuation = make_character_splitter(is_punctuation, SplitBehavior::kIsolated)](
             PreTokenized& state) {
    spaces(state);
    punctuation(state);
  };
}

PreTokenizer make_char_delimiter_split(const JsonField& field, WordBytes) {
  const JsonField delimiter = field.at("delimiter");
  HONE_CHECK(DataError, !delimiter.string().empty(), "{} is empty", delimiter.place);
  return make_pattern_splitter(Pattern(Regex(escape_regex(delimiter.string()))),
                               SplitBehavior::kRemoved);
}

// Keeps runs of word characters, and runs of others but spaces.
PreTokenizer make_whitespace(const JsonField&, WordBytes) {
  enum Kind { kSpace, kWord, kOther };
  return make_cutter([last = kSpace](char32_t c) mutable {
    const Kind before = std::exchange(last, is_word_character(c) ? kWord
                                            : is_whitespace(c)   ? kSpace
                                                                 : kOther);
    if (last == kSpace) return Cut::kDrop;
    return last == before ? Cut::kNone : Cut::kBefore;
  });
}

PreTokenizer make_fixed_length(const JsonField& field, WordBytes) {
  const std::int64_t length = field.integer_or("length", 5);
  HONE_CHECK(DataError, length > 0, "{}.length is {}; expected at least 1", field.place, length);
  return make_cutter([length, count = std::int64_t{0}](char32_t) mutable {
    return count++ % length == 0 ? Cut::kBefore : Cut::kNone;
  });
}

// Cuts where the script changes. What has no script goes with what is before it, and goes away
// where nothing is; so Hugging Face tokenizers have it.
PreTokenizer make_unicode_scripts(const JsonField&, WordBytes) {
  return make_cutter([last = kNoScript](char32_t c) mutable {
    const int script = piece_script(c);
    if (script == kNoScript) return last == kNoScript ? Cut::kDrop : Cut::kNone;
    return std::exchange(last, script) == script ? Cut::kNone : Cut::kBefore;
  });
}

struct PreTokenizerType {
  std::string_view type;
  PreTokenizer (*make)(const JsonField&, WordBytes);
};

constexpr std::array<PreTokenizerType, 12> kPreTokenizerTypes{{
    {"Sequence", make_sequence},
    {"Split", make_split},
    {"ByteLevel", make_byte_level},
    {"Metaspace", make_metaspace},
    {"BertPreTokenizer", make_bert},
    {"Whitespace", make_whitespace},
    {"WhitespaceSplit", make_whitespace_split},
    {"Punctuation", make_punctuation},
    {"Digits", make_digits},
    {"CharDelimiterSplit", make_char_delimiter_split},
    {"FixedLength", make_fixed_length},
    {"UnicodeScripts", make_unicode_scripts},
}};

void list_types(const JsonField& field, std::vector<std::string>& types) {
  const std::string type = field.at("type").string();
  if (type != "Sequence") return types.push_back(type);
  const JsonField steps = field.at("pretokenizers");
  for (std::size_t i = 0; i < steps.array().size(); ++i) list_types(steps.at(i), types);
}

}  // namespace

PreTokenizer make_pre_tokenizer(const JsonField& field, WordBytes bytes) {
  if (!field) return [](PreTokenized&) {};
  return find_type(field, kPreTokenizerTypes).make(field, bytes);
}

bool ends_in_byte_level(const JsonField& field) {
  if (!field) return false;
  std::vector<std::string> types;
  list_types(field, types);
  return std::count(types.begin(), types.end(), "ByteLevel") == 1 && types.back() == "ByteLevel";
}

}  // namespace hone::tokenizer
