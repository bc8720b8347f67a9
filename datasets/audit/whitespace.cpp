#include <algorithm>

#include "datasets/audit/prose.h"
#include "datasets/audit/text_faults.h"
#include "tokenizer/regex.h"
#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace hone::datasets::audit {
namespace {

using tokenizer::Regex;
using tokenizer::TextRange;

struct Fault {
  Regex pattern;
  std::string what;
  std::string remedy;  ///< what stands in its place
};

/// No-break spaces are right between digits, behind an opening and before a closing mark, as French
/// and German set them; a joiner is right between letters that it joins.
const std::vector<Fault>& prose_faults() {
  static const std::vector<Fault> faults = {
      {Regex("\\r\\n?"), "carriage return", "\n"},
      {Regex("[\\x{200B}\\x{2060}\\x{FEFF}\\x{00AD}]"), "invisible space", ""},
      {Regex("(?<![\\d«„“])[\\x{00A0}\\x{202F}](?![\\d:;!?»”%€$£°&])"), "no-break space", " "},
      {Regex("\\n(?:[ \\t]*\\n){3,}"), "three or more blank lines", "\n\n"},
      {Regex("(?<=[^\\s|])[ ]{3,}(?=[^\\s|])"), "run of spaces inside a line", " "},
  };
  return faults;
}

/// A table or a listing keeps its columns by spaces.
bool is_column_line(std::string_view text, TextRange match) {
  const std::size_t begin = match.begin == 0 ? 0 : text.rfind('\n', match.begin - 1) + 1;
  const std::string_view line = text.substr(begin, text.find('\n', match.end) - begin);
  return line.find('|') != line.npos || line.find('\t') != line.npos || line.starts_with("    ");
}

std::optional<TextRange> find_from(const Fault& fault, std::string_view prose, std::size_t from) {
  while (const auto match = fault.pattern.find(prose, from)) {
    if (fault.remedy != " " || !is_column_line(prose, *match)) return match;
    from = match->end;
  }
  return std::nullopt;
}

std::string replaced(const Fault& fault, std::string_view prose) {
  std::string result;
  std::size_t done = 0;
  while (const auto match = find_from(fault, prose, done)) {
    result += prose.substr(done, match->begin - done);
    result += fault.remedy;
    done = match->end;
  }
  return result.append(prose.substr(done));
}

/// The range that remains without white space at the ends.
TextRange inner(std::string_view text) {
  TextRange range{0, text.size()};
  while (range.begin < range.end) {
    const tokenizer::CodePoint c = tokenizer::code_point_at(text, range.begin);
    if (!tokenizer::is_whitespace(c.value)) break;
    range.begin += c.size_bytes;
  }
  while (range.begin < range.end) {
    const tokenizer::CodePoint c = tokenizer::code_point_before(text, range.end);
    if (!tokenizer::is_whitespace(c.value)) break;
    range.end -= c.size_bytes;
  }
  return range;
}

std::string plain_once(std::string_view text) {
  std::string result;
  for (const Segment& segment : segments_of(text).all) {
    std::string part(text.substr(segment.range.begin, segment.range.size()));
    if (!segment.is_code)
      for (const Fault& fault : prose_faults()) part = replaced(fault, part);
    result += part;
  }
  const TextRange kept = inner(result);
  return result.substr(kept.begin, kept.size());
}

}  // namespace

std::optional<std::string> find_stray_whitespace(std::string_view text, bool is_answer) {
  const TextRange kept = inner(text);
  if (is_answer && kept.size() > 0 && kept.begin > 0) return "begins with white space";
  if (is_answer && kept.size() > 0 && kept.end < text.size()) return "ends with white space";
  for (const Segment& segment : segments_of(text).all) {
    if (segment.is_code) continue;
    const std::string_view prose = text.substr(segment.range.begin, segment.range.size());
    for (const Fault& fault : prose_faults())
      if (find_from(fault, prose, 0)) return fault.what;
  }
  return std::nullopt;
}

std::string with_plain_whitespace(std::string_view text) {
  // One repair can uncover another: what stood at a line's start may be code no longer.
  std::string plain = plain_once(text);
  for (std::string next; (next = plain_once(plain)) != plain;) plain = std::move(next);
  return plain;
}

}  // namespace hone::datasets::audit
