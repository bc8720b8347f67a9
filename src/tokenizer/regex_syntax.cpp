#include "tokenizer/regex_syntax.h"

#include <array>
#include <vector>

namespace hone::tokenizer {
namespace {

// Each as the inside of a set. Oniguruma counts the superscripts and fractions of Latin-1 as word
// characters, and no others.
constexpr std::string_view kWord =
    R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{b2}\x{b3}\x{b9}\x{bc}-\x{be})";
constexpr std::string_view kSpace = R"(\t-\r\x{85}\p{Z})";
constexpr std::string_view kHexDigit = "0-9A-Fa-f";
constexpr std::string_view kAnyCharacter = "(?s:.)";

struct Shorthand {
  char letter, negated;
  std::string_view members;
};
constexpr std::array<Shorthand, 3> kShorthands{
    {{'w', 'W', kWord}, {'s', 'S', kSpace}, {'h', 'H', kHexDigit}}};

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
  std::string_view take_escape() {
    std::size_t size = 2;
    if (at_ + 2 < pattern_.size() && pattern_[at_ + 2] == '{') {
      const std::size_t end = pattern_.find('}', at_);
      if (end != std::string_view::npos) size = end + 1 - at_;
    }
    return take(size);
  }

  // Outside of a set.
  std::string escape() {
    const std::string_view text = take_escape();
    if (text.size() != 2) return std::string(text);
    for (const Shorthand& shorthand : kShorthands) {
      if (text[1] == shorthand.letter) return quoted("[", shorthand.members, "]");
      if (text[1] == shorthand.negated) return quoted("[^", shorthand.members, "]");
    }
    if (text[1] == 'b' || text[1] == 'B') {
      const std::string word = quoted("[", kWord, "]");
      const bool border = text[1] == 'b';
      return "(?:(?<=" + word + (border ? ")(?!" : ")(?=") + word + ")|(?<!" + word +
             (border ? ")(?=" : ")(?!") + word + "))";
    }
    return std::string(text);
  }

  // A set becomes a PCRE2 set where it can, else a group that matches one character.
  std::string set() {
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
        const std::size_t end = pattern_.find(":]", at_);
        members += take(end == std::string_view::npos ? 1 : end + 2 - at_);
      } else if (pattern_[at_] == '[') {
        alternatives.push_back(set());
      } else if (pattern_[at_] == '\\') {
        add_member(members, alternatives);
      } else {
        members += take(1);
      }
    }
    take(1);
    if (intersected.empty() && alternatives.empty()) {
      return quoted(negated ? "[^" : "[", members, "]");
    }
    std::string all;
    for (const std::string& one : intersected) all += "(?=" + one + ")";
    all += any_of(members, alternatives);
    return negated ? "(?:(?!" + all + ")" + std::string(kAnyCharacter) + ")" : "(?:" + all + ")";
  }

  // An escape inside of a set.
  void add_member(std::string& members, std::vector<std::string>& alternatives) {
    const std::string_view text = take_escape();
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
};

}  // namespace

std::string to_pcre2(std::string_view pattern) { return Translator(pattern).translate(); }

}  // namespace hone::tokenizer
