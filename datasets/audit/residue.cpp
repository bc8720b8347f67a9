#include <algorithm>
#include <array>
#include <charconv>

#include "datasets/audit/pii.h"
#include "datasets/audit/prose.h"
#include "datasets/audit/text_faults.h"
#include "tokenizer/regex.h"
#include "tokenizer/utf8.h"

namespace hone::datasets::audit {
namespace {

using tokenizer::Regex;
using tokenizer::TextRange;

/// Elements by name, so that `a < b`, List<String> and <think> are none of them. A one-letter tag
/// that opens right behind a word is a type's argument.
const Regex& html_tag() {
  static const Regex pattern(
      "(?i)(?:</?(?:br|hr|div|span|table|tbody|thead|tr|td|th|ul|ol|li|h[1-6]|img|font|center|"
      "strong|em|script|style|iframe|blockquote|input|form|button|label|meta|link|body|html|head|"
      "section|article|header|footer|nav|sup|sub|pre|code|dl|dt|dd|small|figure|figcaption)"
      "(?:\\s+[\\w:-]+\\s*=\\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\\s\"'<>=]+))*\\s*/?>"
      "|</(?:a|b|i|u|p|q|s)>"
      "|(?<!\\w)<(?:a|b|i|u|p|q|s)(?:\\s+[\\w:-]+\\s*=\\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\\s\"'<>=]+))"
      "*"
      "\\s*>|<!--(?:[^-]|-(?!->))*-->|<!doctype\\b[^<>]*>)");
  return pattern;
}

struct Entity {
  std::string_view name, text;
};

constexpr std::array kEntities = {
    Entity{"amp", "&"},    Entity{"lt", "<"},     Entity{"gt", ">"},     Entity{"quot", "\""},
    Entity{"apos", "'"},   Entity{"nbsp", " "},   Entity{"ndash", "–"},  Entity{"mdash", "—"},
    Entity{"hellip", "…"}, Entity{"lsquo", "‘"},  Entity{"rsquo", "’"},  Entity{"ldquo", "“"},
    Entity{"rdquo", "”"},  Entity{"laquo", "«"},  Entity{"raquo", "»"},  Entity{"copy", "©"},
    Entity{"reg", "®"},    Entity{"trade", "™"},  Entity{"deg", "°"},    Entity{"euro", "€"},
    Entity{"pound", "£"},  Entity{"times", "×"},  Entity{"middot", "·"}, Entity{"bull", "•"},
    Entity{"auml", "ä"},   Entity{"ouml", "ö"},   Entity{"uuml", "ü"},   Entity{"Auml", "Ä"},
    Entity{"Ouml", "Ö"},   Entity{"Uuml", "Ü"},   Entity{"szlig", "ß"},  Entity{"eacute", "é"},
    Entity{"egrave", "è"}, Entity{"agrave", "à"}, Entity{"ccedil", "ç"}, Entity{"ntilde", "ñ"},
};

const Regex& html_entity() {
  static const Regex pattern("&(?:[A-Za-z]{2,6}|#\\d{2,7}|#[xX][0-9A-Fa-f]{2,6});");
  return pattern;
}

/// What an entity stands for; none where it is none of ours.
std::optional<std::string> decoded(std::string_view entity) {
  const std::string_view name = entity.substr(1, entity.size() - 2);
  if (name.front() != '#') {
    const auto found = std::find_if(kEntities.begin(), kEntities.end(),
                                    [&](const Entity& known) { return known.name == name; });
    if (found == kEntities.end()) return std::nullopt;
    return std::string(found->text);
  }
  const bool is_hex = name[1] == 'x' || name[1] == 'X';
  const std::string_view digits = name.substr(is_hex ? 2 : 1);
  std::uint32_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, is_hex ? 16 : 10);
  const bool is_character =
      value >= 0x20 && value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
  if (!is_character) return std::nullopt;
  std::string text;
  tokenizer::append_utf8(text, value);
  return text;
}

/// The first tag or known entity of a piece of prose.
std::optional<TextRange> first_html(std::string_view prose) {
  if (prose.find('<') != prose.npos)
    if (const auto tag = html_tag().find(prose, 0)) return tag;
  if (prose.find('&') == prose.npos) return std::nullopt;
  for (std::size_t from = 0;;) {
    const auto match = html_entity().find(prose, from);
    if (!match || decoded(prose.substr(match->begin, match->size()))) return match;
    from = match->end;
  }
}

/// `edit` over what is prose; code stays as it is.
template <class Edit>
std::string over_prose(std::string_view text, Edit edit) {
  std::string result;
  for (const Segment& segment : segments_of(text).all) {
    const std::string_view part = text.substr(segment.range.begin, segment.range.size());
    result += segment.is_code ? std::string(part) : edit(part);
  }
  return result;
}

/// Tags that stood for a line's end.
bool breaks_line(std::string_view tag) {
  static const Regex pattern("(?i)^<(?:br|hr|/p|/div|/li|/tr|/h[1-6]|/table|/ul|/ol)\\b");
  return pattern.find(tag, 0).has_value();
}

std::string prose_without_html(std::string_view prose) {
  std::string stripped;
  std::size_t done = 0;
  while (const auto tag = html_tag().find(prose, done)) {
    stripped += prose.substr(done, tag->begin - done);
    if (breaks_line(prose.substr(tag->begin, tag->size()))) stripped += '\n';
    done = tag->end;
  }
  stripped += prose.substr(done);

  std::string result;
  done = 0;
  for (std::size_t from = 0; const auto match = html_entity().find(stripped, from);) {
    from = match->end;
    const auto text = decoded(std::string_view(stripped).substr(match->begin, match->size()));
    if (!text) continue;
    result.append(stripped, done, match->begin - done);
    result += *text;
    done = match->end;
  }
  return result.append(stripped, done);
}

}  // namespace

std::optional<std::string> find_html(std::string_view text) {
  if (text.find_first_of("<&") == text.npos) return std::nullopt;
  for (const Segment& segment : segments_of(text).all) {
    if (segment.is_code) continue;
    const std::string_view prose = text.substr(segment.range.begin, segment.range.size());
    if (const auto found = first_html(prose))
      return excerpt(prose.substr(found->begin, found->size()));
  }
  return std::nullopt;
}

std::optional<std::string> find_markup_residue(std::string_view text) {
  if (text.find_first_of("\\[#") == text.npos) return std::nullopt;
  // \n as two characters where a line can end: \neq, C:\new and \nabla are something else.
  static const Regex pattern(
      "(?:\\\\n){2}|(?<=[.!?:,;)])\\\\n(?=[A-Z0-9*\\-#\\s]|$)"
      "|!?\\[[^\\]\\n]{0,200}\\]\\(\\s*\\)"
      "|!\\[[^\\]\\n]{0,200}\\]\\((?!https?:|data:)[^)\\s]{1,300}\\)"
      "|(?m)^#{1,6}[ \\t]*$|\\[(?:edit|citation needed|show|hide)\\]");
  for (const Segment& segment : segments_of(text).all) {
    if (segment.is_code) continue;
    const std::string_view prose = text.substr(segment.range.begin, segment.range.size());
    if (const auto found = pattern.find(prose, 0))
      return excerpt(prose.substr(found->begin, found->size()));
  }
  return std::nullopt;
}

std::string without_html(std::string_view text) {
  if (!find_html(text)) return std::string(text);
  return over_prose(text, prose_without_html);
}

std::string with_pii_redacted(std::string_view text) {
  std::string result(text);
  for (const PiiKind& kind : pii_kinds()) {
    const std::vector<TextRange> found = kind.find(result);
    for (auto range = found.rbegin(); range != found.rend(); ++range)
      result.replace(range->begin, range->size(), kind.replacement);
  }
  return result;
}

}  // namespace hone::datasets::audit
