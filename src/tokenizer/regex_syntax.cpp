#include "tokenizer/regex_syntax.h"

#include <array>
#include <utility>
#include <vector>

#include "base/error.h"

namespace hone::tokenizer {
namespace {

// Each as the inside of a set. They end in a range, so that a hyphen after them stays a hyphen.
constexpr std::string_view kWord = R"(\p{Alphabetic}\p{M}\p{Pc}\p{Nd}0-9)";
constexpr std::string_view kSpace = R"(\p{Z}\x{85}\t-\r)";
constexpr std::string_view kHexDigit = "0-9A-Fa-f";
// Outside of sets, Oniguruma counts the superscripts and fractions of Latin-1 as word characters.
constexpr std::string_view kLoneWord =
    R"(\p{Alphabetic}\p{M}\p{Pc}\p{Nd}\x{b2}\x{b3}\x{b9}\x{bc}-\x{be})";
constexpr std::string_view kAnyCharacter = "(?s:.)";

struct Shorthand {
  char letter, negated;
  std::string_view members;  // in a set
  std::string_view alone;
};
constexpr std::array<Shorthand, 3> kShorthands{
    {{'w', 'W', kWord, kLoneWord}, {'s', 'S', kSpace, kSpace}, {'h', 'H', kHexDigit, kHexDigit}}};

// What stands for more characters than in PCRE2.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kBracketClasses{
    {{"[:alpha:]", R"(\p{Alphabetic})"},
     {"[:alnum:]", R"(\p{Alphabetic}\p{Nd})"},
     {"[:upper:]", R"(\p{Uppercase})"},
     {"[:lower:]", R"(\p{Lowercase})"},
     {"[:space:]", kSpace},
     {"[:word:]", kWord}}};

std::string quoted(std::string_view before, std::string_view text, std::string_view after) {
  return std::string(before).append(text).append(after);
}

class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  std::string translate() {
    std::string result;
    while (at_ < pattern_.size()) {
      if (pattern_[at_] == '[') {
        result += set();
      } else if (pattern_[at_] == '\\') {
        result += escape();
      } else {
        result += pattern_[at_++];
      }
    }
    return result;
  }

 private:
  bool ahead(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }

  std::string_view take(std::size_t size) {
    const std::string_view taken = pattern_.substr(at_, size);
    at_ += taken.size();
    return taken;
  }

  // A backslash with what belongs to it: `\p{Lu}`, `\x{85}`, `\n`.
  std::string take_escape() {
    constexpr std::size_t kHexDigits = 4;
    if (ahead("\\u") && pattern_.size() >= at_ + 2 + kHexDigits) {
      take(2);
      return quoted("\\x{", take(kHexDigits), "}");
    }
    std::size_t size = 2;
    constexpr std::string_view kBraced = "pPxogkN";
    if (at_ + 2 < pattern_.size() && pattern_[at_ + 2] == '{' &&
        kBraced.find(pattern_[at_ + 1]) != std::string_view::npos) {
      const std::size_t end = pattern_.find('}', at_);
      if (end != std::string_view::npos) size = end + 1 - at_;
    }
    return std::string(take(size));
  }

  // Outside of a set.
  std::string escape() {
    const std::string text = take_escape();
    if (text.size() != 2) return text;
    for (const Shorthand& shorthand : kShorthands) {
      if (text[1] == shorthand.letter) return quoted("[", shorthand.alone, "]");
      if (text[1] == shorthand.negated) return quoted("[^", shorthand.alone, "]");
    }
    if (text[1] == 'b' || text[1] == 'B') {
      const std::string word = quoted("[", kLoneWord, "]");
      const bool border = text[1] == 'b';
      return "(?:(?<=" + word + (border ? ")(?!" : ")(?=") + word + ")|(?<!" + word +
             (border ? ")(?=" : ")(?!") + word + "))";
    }
    return text;
  }

  // A set becomes a PCRE2 set where it can, else a group that matches one character.
  std::string set() {
    constexpr int kMaxDepth = 100;
    HONE_CHECK(DataError, ++depth_ <= kMaxDepth,
               "regular expression `{}` of the tokenizer: more than {} sets within sets", pattern_,
               kMaxDepth);
    take(1);
    const bool negated = ahead("^");
    if (negated) take(1);
    std::vector<std::string> intersected;
    std::string members;                    // of a PCRE2 set
    std::vector<std::string> alternatives;  // that no PCRE2 set holds
    if (ahead("]")) members.append("\\").append(take(1));
    while (at_ < pattern_.size() && pattern_[at_] != ']') {
      if (ahead("&&")) {
        take(2);
        intersected.push_back(any_of(members, alternatives));
        members.clear();
        alternatives.clear();
      } else if (ahead("[:")) {
        members += bracket_class();
      } else if (pattern_[at_] == '[') {
        alternatives.push_back(set());
      } else if (pattern_[at_] == '\\') {
        add_member(members, alternatives);
      } else {
        members += take(1);
      }
    }
    HONE_CHECK(DataError, at_ < pattern_.size(),
               "regular expression `{}` of the tokenizer: a set is not closed", pattern_);
    take(1);
    --depth_;
    intersected.push_back(any_of(members, alternatives));
    if (intersected.size() == 1 && alternatives.empty()) {
      return quoted(negated ? "[^" : "[", members, "]");
    }
    return all_of(intersected, negated);
  }

  // `[:alpha:]` inside of a set.
  std::string_view bracket_class() {
    const std::size_t end = pattern_.find(":]", at_);
    const std::string_view text = take(end == std::string_view::npos ? 1 : end + 2 - at_);
    for (const auto& [name, members] : kBracketClasses) {
      if (text == name) return members;
    }
    return text;
  }

  // A character that each of some groups matches, or any other character where `negated`.
  static std::string all_of(std::vector<std::string> groups, bool negated) {
    std::string all = groups.back();
    groups.pop_back();
    for (const std::string& group : groups) all.insert(0, "(?=" + group + ")");
    return negated ? "(?:(?!" + all + ")" + std::string(kAnyCharacter) + ")" : "(?:" + all + ")";
  }

  // An escape inside of a set.
  void add_member(std::string& members, std::vector<std::string>& alternatives) {
    const std::string text = take_escape();
    for (const Shorthand& shorthand : kShorthands) {
      if (text.size() != 2) break;
      if (text[1] == shorthand.letter) {
        members += shorthand.members;
        return;
      }
      if (text[1] == shorthand.negated) {
        alternatives.push_back(quoted("[^", shorthand.members, "]"));
        return;
      }
    }
    members += text;
  }

  static std::string any_of(const std::string& members,
                            const std::vector<std::string>& alternatives) {
    std::string result = members.empty() ? "" : "[" + members + "]";
    for (const std::string& alternative : alternatives) {
      if (!result.empty()) result += "|";
      result += alternative;
    }
    return "(?:" + result + ")";
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

std::string to_pcre2(std::string_view pattern) { return Translator(pattern).translate(); }

}  // namespace hone::tokenizer
