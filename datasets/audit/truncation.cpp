#include <algorithm>
#include <array>

#include "datasets/audit/prose.h"
#include "datasets/audit/script.h"
#include "datasets/audit/text_faults.h"
#include "datasets/audit/words.h"
#include "tokenizer/regex.h"
#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace hone::datasets::audit {
namespace {

using tokenizer::Regex;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() &&
         tokenizer::is_whitespace(tokenizer::code_point_before(text, text.size()).value))
    text.remove_suffix(tokenizer::code_point_before(text, text.size()).size_bytes);
  while (!text.empty() && tokenizer::is_whitespace(tokenizer::code_point_at(text, 0).value))
    text.remove_prefix(tokenizer::code_point_at(text, 0).size_bytes);
  return text;
}

/// A text that begins as JSON and runs out of its closing brackets.
bool is_open_json(std::string_view text) {
  static const Regex begins("^(?:\\{\\s*(?:\"|\\})|\\[\\s*(?:[\\[{\"\\]]|-?\\d+\\s*,))");
  if (!begins.find(text, 0)) return false;
  std::string open;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      open += c;
    } else if (c == '}' || c == ']') {
      if (open.empty() || open.back() != (c == '}' ? '{' : '[')) return false;  // no JSON
      open.pop_back();
      if (open.empty()) return false;  // complete; what follows is another matter
    }
  }
  return true;
}

/// An open block whose opening did not slip behind a text on the same line.
bool is_open_fence(std::string_view text, const Segments& segments) {
  static const Regex fence("`{3,}|~{3,}");
  std::size_t fences = 0, from = 0;
  while (const auto match = fence.find(text, from)) {
    from = match->end;
    ++fences;
  }
  return segments.fence_open && fences % 2 == 1;
}

/// A line that is no sentence and need not end like one.
bool is_structure(std::string_view line) {
  static const Regex pattern(
      "^\\s*(?:[-*+•–—>|#]|\\d{1,3}[.)]|[A-Za-z][.)]\\s|\\$|\\\\|[A-Z][\\w ]{0,20}:)");
  return pattern.find(line, 0).has_value();
}

bool ends_in_link(std::string_view line) {
  static const Regex pattern("(?:https?://|www\\.|@)[^\\s]+$");
  return pattern.find(line, 0).has_value();
}

/// Words that a sentence does not stop at, and marks that announce more.
bool ends_open(std::string_view line) {
  const char32_t last = tokenizer::code_point_before(line, line.size()).value;
  return last == ',' || last == '-' || last == '(' || script_of(last) != Script::kNone ||
         tokenizer::is_numeric(last);
}

std::size_t last_line_begin(std::string_view text) {
  const std::size_t newline = text.rfind('\n');
  return newline == text.npos ? 0 : newline + 1;
}

/// Prose that has ended a sentence and then stops within one.
bool ends_within_sentence(std::string_view text) {
  constexpr std::size_t kLeastWords = 8;
  static const Regex sentence_end("[\\p{L}\\d)\"'”’»][.!?…][\"'”’»)]*\\s|[。！？।۔؟]");
  const std::string_view line = text.substr(last_line_begin(text));
  if (is_structure(line) || ends_in_link(line) || !ends_open(line)) return false;
  const std::string_view before = text.substr(0, text.size() - line.size());
  // Verse, addresses and lists have lines without ends all over; prose ends its paragraphs.
  if (const std::string_view above = trimmed(before); !above.empty()) {
    const char32_t last = tokenizer::code_point_before(above, above.size()).value;
    if (script_of(last) != Script::kNone || tokenizer::is_numeric(last) || last == ',')
      return false;
  }
  return word_hashes(line).size() >= kLeastWords && sentence_end.find(text, 0).has_value();
}

}  // namespace

std::optional<std::string> find_truncation(std::string_view whole) {
  const std::string_view text = trimmed(whole);
  if (text.empty()) return std::nullopt;
  const Segments segments = segments_of(text);
  if (is_open_fence(text, segments)) return "a code block is not closed";
  if (is_open_json(text))
    return "JSON without its closing bracket: …" +
           excerpt(text.substr(text.size() - std::min<std::size_t>(text.size(), 30)));
  if (segments.all.back().is_code || !ends_within_sentence(text)) return std::nullopt;
  std::size_t from = text.size() - std::min<std::size_t>(text.size(), 50);
  from = std::min(text.find(' ', from), text.size() - 1) + 1;
  return "ends within a sentence: …" + excerpt(text.substr(from));
}

std::optional<std::string> find_refusal(std::string_view text) {
  // Only how an answer begins is looked at; within a text the same words may be someone's.
  static const Regex opening(
      "(?i)^\\W*(?:(?:i['’]?m|i am)\\s+(?:really |very |so |truly )?sorry,?\\s*(?:but|,)?\\s*(?:as "
      "an ai|"
      "i (?:can['’]?t|cannot|can not|am unable|am not able|won['’]?t|['’]?m unable|['’]?m not "
      "able))"
      "|sorry,?\\s*(?:but )?i (?:can['’]?t|cannot|can not|won['’]?t) "
      "(?:help|assist|do|provide|fulfil)"
      "|i (?:can['’]?t|cannot|can not|won['’]?t|am unable to|am not able to) (?:help|assist|comply|"
      "fulfil|provide (?:that|this|any)|engage|participate|create content)"
      "|(?:i['’]?m|i am) (?:unable|not able) to (?:help|assist|comply|fulfil|provide "
      "(?:that|this)))");
  static const Regex maker(
      "(?i)\\b(?:as an ai(?: language)? (?:model|assistant)|as a large language model|i am an ai "
      "language model|i['’]m an ai language model|my knowledge cut-?off|(?:trained|developed|"
      "created|made) by (?:openai|anthropic|google deepmind|meta ai|mistral ai))\\b");
  for (const Regex* pattern : {&opening, &maker}) {
    if (const auto match = pattern->find(text, 0))
      return "“" + excerpt(text.substr(match->begin, match->size() + 30)) + "”";
  }
  return std::nullopt;
}

}  // namespace hone::datasets::audit
