#include "tokenizer/pattern.h"

#include <algorithm>

#include "base/error.h"

namespace hone::tokenizer {
namespace {

void find_literal(std::string_view literal, std::string_view text,
                  std::vector<TextRange>& matches) {
  for (std::size_t at = text.find(literal); at != std::string_view::npos;
       at = text.find(literal, at + literal.size())) {
    matches.push_back({at, at + literal.size()});
  }
}

void find_regex(const Regex& regex, std::string_view text, std::vector<TextRange>& matches) {
  for (std::size_t from = 0; from <= text.size();) {
    const auto match = regex.find(text, from);
    if (!match) break;
    matches.push_back(*match);
    from = match->end;
    if (match->size() == 0) {
      if (from >= text.size()) break;
      from += code_point_at(text, from).size_bytes;
    }
  }
}

// Whether a segment of the text becomes one with the segment before it.
bool joins(SplitBehavior behavior, bool after_delimiter, bool is_delimiter) {
  switch (behavior) {
    case SplitBehavior::kContiguous:
      return after_delimiter == is_delimiter;
    case SplitBehavior::kMergedWithPrevious:
      return is_delimiter && !after_delimiter;
    case SplitBehavior::kMergedWithNext:
      return after_delimiter && !is_delimiter;
    default:
      return false;
  }
}

}  // namespace

Pattern::Pattern(const JsonField& field) {
  if (const JsonField literal = field.find("String")) {
    pattern_ = literal.string();
    HONE_CHECK(DataError, !literal.string().empty(), "{} is empty", literal.place);
  } else if (const JsonField regex = field.find("Regex")) {
    *this = Pattern(Regex(regex.string()));
  } else {
    throw DataError(fmt::format("{}: expected {{\"String\": …}} or {{\"Regex\": …}}", field.place));
  }
}

Pattern::Pattern(Regex regex)
    : pattern_(std::move(regex)),
      match_all_(find_known_pattern(std::get<Regex>(pattern_).pattern())) {}

void Pattern::find_all(std::string_view text, std::vector<TextRange>& matches) const {
  if (match_all_ != nullptr) {
    match_all_(text, matches);
  } else if (const auto* literal = std::get_if<std::string>(&pattern_)) {
    find_literal(*literal, text, matches);
  } else {
    find_regex(std::get<Regex>(pattern_), text, matches);
  }
}

std::vector<TextRange> Pattern::find_all(std::string_view text) const {
  std::vector<TextRange> matches;
  find_all(text, matches);
  return matches;
}

SplitBehavior parse_split_behavior(const JsonField& field) {
  const std::string name = field.string();
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  throw DataError(
      fmt::format("{}: `{}` is none of Removed, Isolated, MergedWithPrevious, "
                  "MergedWithNext, Contiguous",
                  field.place, name));
}

void split_at(TextRange range, const std::vector<TextRange>& delimiters, SplitBehavior behavior,
              bool invert, std::vector<TextRange>& pieces) {
  const auto first = static_cast<std::ptrdiff_t>(pieces.size());
  bool is_first = true, after_delimiter = false;
  const auto add = [&](std::size_t begin, std::size_t end, bool is_delimiter) {
    if (is_delimiter && behavior == SplitBehavior::kRemoved) return;
    if (!is_first && joins(behavior, after_delimiter, is_delimiter)) {
      pieces.back().end = end;
    } else {
      pieces.push_back({begin, end});
    }
    is_first = false;
    after_delimiter = is_delimiter;
  };
  std::size_t done = range.begin;
  for (const TextRange& delimiter : delimiters) {
    const std::size_t begin = range.begin + delimiter.begin;
    if (done < begin) add(done, begin, invert);
    done = range.begin + delimiter.end;
    add(begin, done, !invert);
  }
  if (done < range.end) add(done, range.end, invert);
  pieces.erase(std::remove_if(pieces.begin() + first, pieces.end(),
                              [](const TextRange& piece) { return piece.size() == 0; }),
               pieces.end());
}

}  // namespace hone::tokenizer
