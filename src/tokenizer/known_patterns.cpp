#include "tokenizer/known_patterns.h"

#include <array>

#include "io/utf8.h"
#include "tokenizer/character_class.h"

// The known patterns are made of the same alternatives in the same order, so one scanner serves
// them all. Each alternative gives the end of its match at a place, or kNoMatch; the next is tried
// only where it failed, as a regular expression does. One of them matches at every place.
namespace hone::tokenizer {
namespace {

constexpr std::size_t kNoMatch = std::string_view::npos;

enum class Contractions { kNone, kLowerCase, kAnyCase, kAfterWord };

// What tells one pattern from another.
struct SplitRules {
  // 's, 't, …: pieces of their own before all else, or a part of the word before them.
  Contractions contractions = Contractions::kNone;
  bool words_take_any_character = false;  // `[^\r\n\p{L}\p{N}]?` before a word, else ` ?`
  bool words_end_at_capitals = false;     // upper-case letters, then lower-case ones
  std::size_t max_numbers = 0;            // `\p{N}{1,max}`; 0 for ` ?\p{N}+`
  bool symbols_take_line_breaks = false;  // `[\r\n]*` after symbols
  bool symbols_take_slashes = false;      // … or `[\r\n/]*`
  bool lines_end_pieces = false;          // `\s*[\r\n]+` before other white space
};

template <SplitRules kRules>
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text), classes_(CharacterClasses::instance()) {}

  std::size_t match_end(std::size_t at) const {
    std::size_t end = kNoMatch;
    if (kRules.contractions == Contractions::kLowerCase ||
        kRules.contractions == Contractions::kAnyCase) {
      end = contraction(at);
    }
    if (end == kNoMatch) end = word(at);
    if (end == kNoMatch) end = numbers(at);
    if (end == kNoMatch) end = symbols(at);
    return end == kNoMatch ? spaces(at) : end;
  }

 private:
  static constexpr unsigned kNotSymbol = kLetterClass | kNumberClass | kSpaceClass;

  // No class and no bytes past the end.
  ClassifiedCharacter character(std::size_t at) const {
    return at < text_.size() ? classes_.at(text_, at) : ClassifiedCharacter{0, 0};
  }
  bool is(std::size_t at, unsigned classes) const { return (character(at).classes & classes) != 0; }

  char lower_case(std::size_t at) const {
    const char c = at < text_.size() ? text_[at] : '\0';
    const bool folds = kRules.contractions != Contractions::kLowerCase && c >= 'A' && c <= 'Z';
    return folds ? static_cast<char>(c + ('a' - 'A')) : c;
  }

  // The end of the run of characters of which `belongs` is true, given their classes.
  template <class Belongs>
  std::size_t run(std::size_t at, Belongs belongs) const {
    while (at < text_.size()) {
      const ClassifiedCharacter next = classes_.at(text_, at);
      if (!belongs(next.classes)) break;
      at += next.size_bytes;
    }
    return at;
  }
  std::size_t run_of(std::size_t at, unsigned classes) const {
    return run(at, [classes](unsigned its) { return (its & classes) != 0; });
  }

  std::size_t contraction(std::size_t at) const {
    if (at >= text_.size() || text_[at] != '\'') return kNoMatch;
    switch (lower_case(at + 1)) {
      case 's':
      case 't':
      case 'm':
      case 'd':
        return at + 2;
      case 'r':
      case 'v':
        return lower_case(at + 2) == 'e' ? at + 3 : kNoMatch;
      case 'l':
        return lower_case(at + 2) == 'l' ? at + 3 : kNoMatch;
      default:
        break;
    }
    // The long s is an s to a pattern that does not tell cases apart.
    const bool long_s = kRules.contractions != Contractions::kLowerCase &&
                        text_.substr(at + 1).starts_with("\u017F");
    return long_s ? at + 3 : kNoMatch;
  }

  std::size_t word(std::size_t at) const {
    const ClassifiedCharacter first = character(at);
    std::size_t after_first = kNoMatch;
    if constexpr (kRules.words_take_any_character) {
      constexpr unsigned kExcluded = kLetterClass | kNumberClass | kLineBreakClass;
      if ((first.classes & kExcluded) == 0) after_first = at + first.size_bytes;
    } else {
      if (text_[at] == ' ') after_first = at + 1;
    }
    if constexpr (kRules.words_end_at_capitals) return word_by_case(at, after_first);
    const std::size_t begin = after_first == kNoMatch ? at : after_first;
    return is(begin, kLetterClass) ? run_of(begin, kLetterClass) : kNoMatch;
  }

  std::size_t word_by_case(std::size_t at, std::size_t after_first) const {
    std::size_t end = kNoMatch;
    if (after_first != kNoMatch) end = lower_case_word(after_first);
    if (end == kNoMatch) end = lower_case_word(at);
    if (end == kNoMatch && after_first != kNoMatch) end = upper_case_word(after_first);
    if (end == kNoMatch) end = upper_case_word(at);
    if (end == kNoMatch || kRules.contractions != Contractions::kAfterWord) return end;
    const std::size_t longer = contraction(end);
    return longer == kNoMatch ? end : longer;
  }

  // Upper*Lower+, where letters without case are both: those that Upper* took are given back one by
  // one until Lower+ has something.
  std::size_t lower_case_word(std::size_t begin) const {
    const std::size_t upper_end = run_of(begin, kUpperClass);
    const std::size_t lower_end = run_of(upper_end, kLowerClass);
    if (lower_end > upper_end) return lower_end;
    for (std::size_t end = upper_end; end > begin;) {
      const std::size_t last = begin_of_last(end);
      if (is(last, kLowerClass)) return end;
      end = last;
    }
    return kNoMatch;
  }

  // Upper+Lower*.
  std::size_t upper_case_word(std::size_t begin) const {
    const std::size_t upper_end = run_of(begin, kUpperClass);
    return upper_end > begin ? run_of(upper_end, kLowerClass) : kNoMatch;
  }

  std::size_t numbers(std::size_t at) const {
    if constexpr (kRules.max_numbers == 0) {
      const std::size_t begin = at + (text_[at] == ' ');
      return is(begin, kNumberClass) ? run_of(begin, kNumberClass) : kNoMatch;
    }
    std::size_t end = at;
    for (std::size_t i = 0; i < kRules.max_numbers && is(end, kNumberClass); ++i) {
      end += character(end).size_bytes;
    }
    return end > at ? end : kNoMatch;
  }

  std::size_t symbols(std::size_t at) const {
    const std::size_t begin = at + (text_[at] == ' ');
    std::size_t end = run(begin, [](unsigned its) { return (its & kNotSymbol) == 0; });
    if (end == begin) return kNoMatch;
    if constexpr (kRules.symbols_take_line_breaks) {
      while (end < text_.size() && (text_[end] == '\r' || text_[end] == '\n' ||
                                    (kRules.symbols_take_slashes && text_[end] == '/'))) {
        ++end;
      }
    }
    return end;
  }

  // White space up to its last line break where the pattern says so; else all of it but the
  // character just before a word, unless that is all there is.
  std::size_t spaces(std::size_t at) const {
    const std::size_t end = run_of(at, kSpaceClass);
    if constexpr (kRules.lines_end_pieces) {
      const std::size_t last_break = text_.substr(at, end - at).find_last_of("\r\n");
      if (last_break != std::string_view::npos) return at + last_break + 1;
    }
    if (end == text_.size()) return end;
    const std::size_t last = begin_of_last(end);
    return last > at ? last : end;
  }

  std::size_t begin_of_last(std::size_t end) const {
    --end;
    while (io::is_utf8_continuation(text_[end])) --end;
    return end;
  }

  std::string_view text_;
  const CharacterClasses& classes_;
};

template <SplitRules kRules>
void match_all(std::string_view text, std::vector<TextRange>& matches) {
  const Scanner<kRules> scanner(text);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = scanner.match_end(at);
    matches.push_back({at, end});
    at = end;
  }
}

struct KnownPattern {
  std::string_view pattern;
  MatchAll match_all;
};

constexpr SplitRules kGpt2Rules{.contractions = Contractions::kLowerCase};
constexpr SplitRules kLlama3Rules{.contractions = Contractions::kAnyCase,
                                  .words_take_any_character = true,
                                  .max_numbers = 3,
                                  .symbols_take_line_breaks = true,
                                  .lines_end_pieces = true};
constexpr SplitRules kQwen2Rules{.contractions = Contractions::kAnyCase,
                                 .words_take_any_character = true,
                                 .max_numbers = 1,
                                 .symbols_take_line_breaks = true,
                                 .lines_end_pieces = true};
constexpr SplitRules kGpt4oRules{.contractions = Contractions::kAfterWord,
                                 .words_take_any_character = true,
                                 .words_end_at_capitals = true,
                                 .max_numbers = 3,
                                 .symbols_take_line_breaks = true,
                                 .symbols_take_slashes = true,
                                 .lines_end_pieces = true};
constexpr SplitRules kTekkenRules{.words_take_any_character = true,
                                  .words_end_at_capitals = true,
                                  .max_numbers = 1,
                                  .symbols_take_line_breaks = true,
                                  .symbols_take_slashes = true,
                                  .lines_end_pieces = true};

constexpr std::array<KnownPattern, 5> kKnownPatterns{{{kGpt2Pattern, match_all<kGpt2Rules>},
                                                      {kLlama3Pattern, match_all<kLlama3Rules>},
                                                      {kQwen2Pattern, match_all<kQwen2Rules>},
                                                      {kGpt4oPattern, match_all<kGpt4oRules>},
                                                      {kTekkenPattern, match_all<kTekkenRules>}}};

}  // namespace

MatchAll find_known_pattern(std::string_view pattern) {
  for (const KnownPattern& known : kKnownPatterns) {
    if (known.pattern == pattern) return known.match_all;
  }
  return nullptr;
}

std::vector<std::string_view> known_patterns() {
  std::vector<std::string_view> patterns;
  for (const KnownPattern& known : kKnownPatterns) patterns.push_back(known.pattern);
  return patterns;
}

}  // namespace hone::tokenizer
