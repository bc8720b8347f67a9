#include "tokenizer/pattern.h"

#include "base/error.h"

namespace hone::tokenizer {
namespace {

struct Segment {
  TextRange range;
  bool is_delimiter;
};

std::vector<Segment> alternate(std::size_t size_bytes, const std::vector<TextRange>& delimiters,
                               bool invert) {
  std::vector<Segment> segments;
  std::size_t done = 0;
  for (const TextRange range : delimiters) {
    if (done < range.begin) segments.push_back({{done, range.begin}, invert});
    segments.push_back({range, !invert});
    done = range.end;
  }
  if (done < size_bytes) segments.push_back({{done, size_bytes}, invert});
  return segments;
}

// Joins a segment to the one before it where `joins(before, segment)` says so.
template <class Joins>
std::vector<TextRange> join(const std::vector<Segment>& segments, Joins joins) {
  std::vector<TextRange> pieces;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (i > 0 && joins(segments[i - 1], segments[i])) {
      pieces.back().end = segments[i].range.end;
    } else {
      pieces.push_back(segments[i].range);
    }
  }
  return pieces;
}

std::vector<TextRange> find_literal(std::string_view literal, std::string_view text) {
  std::vector<TextRange> matches;
  for (std::size_t at = text.find(literal); at != std::string_view::npos;
       at = text.find(literal, at + literal.size())) {
    matches.push_back({at, at + literal.size()});
  }
  return matches;
}

std::vector<TextRange> find_regex(const Regex& regex, std::string_view text) {
  std::vector<TextRange> matches;
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
  return matches;
}

}  // namespace

Pattern::Pattern(const JsonField& field) {
  if (const JsonField literal = field.find("String")) {
    pattern_ = literal.string();
    HONE_CHECK(DataError, !literal.string().empty(), "{} is empty", literal.place);
  } else if (const JsonField regex = field.find("Regex")) {
    pattern_ = Regex(regex.string());
  } else {
    throw DataError(fmt::format("{}: expected {{\"String\": …}} or {{\"Regex\": …}}", field.place));
  }
}

std::vector<TextRange> Pattern::find_all(std::string_view text) const {
  if (const auto* literal = std::get_if<std::string>(&pattern_))
    return find_literal(*literal, text);
  return find_regex(std::get<Regex>(pattern_), text);
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

std::vector<TextRange> split_at(std::size_t size_bytes, const std::vector<TextRange>& delimiters,
                                SplitBehavior behavior, bool invert) {
  std::vector<Segment> segments = alternate(size_bytes, delimiters, invert);
  if (behavior == SplitBehavior::kRemoved) {
    std::erase_if(segments, [](const Segment& segment) { return segment.is_delimiter; });
  }
  std::vector<TextRange> pieces = join(segments, [&](const Segment& before, const Segment& now) {
    switch (behavior) {
      case SplitBehavior::kContiguous:
        return before.is_delimiter == now.is_delimiter;
      case SplitBehavior::kMergedWithPrevious:
        return now.is_delimiter && !before.is_delimiter;
      case SplitBehavior::kMergedWithNext:
        return before.is_delimiter && !now.is_delimiter;
      default:
        return false;
    }
  });
  std::erase_if(pieces, [](const TextRange& piece) { return piece.size() == 0; });
  return pieces;
}

}  // namespace hone::tokenizer
