#include "tokenizer/jinja/text.h"

#include <algorithm>
#include <utility>

#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace hone::tokenizer::jinja {
namespace {

// Rewrites each code point by itself; what it becomes keeps its origin.
template <class Map>
Text map_code_points(const Text& text, Map map) {
  Text result;
  std::string bytes;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = code_point_at(text.str(), i);
    bytes.clear();
    for (const char32_t c : map(point.value)) append_utf8(bytes, c);
    result.append(bytes, text.origin_at(i));
    i += point.size_bytes;
  }
  return result;
}

}  // namespace

Text& Text::append(std::string_view bytes, Origin origin) {
  if (bytes.empty()) return *this;
  bytes_.append(bytes);
  if (!runs_.empty() && runs_.back().origin == origin) {
    runs_.back().end = bytes_.size();
  } else {
    runs_.push_back({bytes_.size(), origin});
  }
  return *this;
}

Text& Text::append(const Text& other) {
  if (&other == this) return append(Text(other));
  std::size_t begin = 0;
  for (const Run& run : other.runs_) {
    append(other.str().substr(begin, run.end - begin), run.origin);
    begin = run.end;
  }
  return *this;
}

Text Text::slice(std::size_t begin, std::size_t end) const {
  Text result;
  auto run = std::upper_bound(runs_.begin(), runs_.end(), begin,
                              [](std::size_t at, const Run& r) { return at < r.end; });
  while (begin < end) {
    const std::size_t stop = std::min(end, run->end);
    result.append(std::string_view(bytes_).substr(begin, stop - begin), run->origin);
    begin = stop;
    ++run;
  }
  return result;
}

Origin Text::origin_at(std::size_t byte) const {
  return std::upper_bound(runs_.begin(), runs_.end(), byte,
                          [](std::size_t at, const Run& r) { return at < r.end; })
      ->origin;
}

Origin Text::main_origin() const {
  for (const Run& run : runs_) {
    if (run.origin != kTemplateOrigin) return run.origin;
  }
  return kTemplateOrigin;
}

bool is_python_space(char32_t c) { return is_whitespace(c) || (c >= 0x1C && c <= 0x1F); }

Text strip(const Text& text, bool left, bool right, const std::string_view* chars) {
  const std::string_view bytes = text.str();
  const auto goes = [&](std::size_t at, const CodePoint& point) {
    if (chars == nullptr) return is_python_space(point.value);
    return chars->find(bytes.substr(at, point.size_bytes)) != std::string_view::npos;
  };
  std::size_t begin = 0, end = bytes.size();
  while (left && begin < end) {
    const CodePoint point = code_point_at(bytes, begin);
    if (!goes(begin, point)) break;
    begin += point.size_bytes;
  }
  while (right && begin < end) {
    const CodePoint point = code_point_before(bytes, end);
    if (!goes(end - point.size_bytes, point)) break;
    end -= point.size_bytes;
  }
  return text.slice(begin, end);
}

Text to_upper(const Text& text) { return map_code_points(text, upper_case); }
Text to_lower(const Text& text) { return map_code_points(text, lower_case); }

Text capitalize(const Text& text) {
  bool first = true;
  return map_code_points(text, [&](char32_t c) {
    return std::exchange(first, false) ? upper_case(c) : lower_case(c);
  });
}

Text replace(const Text& text, std::string_view from, const Text& to, std::int64_t count) {
  Text result;
  std::size_t done = 0;
  for (std::size_t at = 0; count != 0; --count) {
    at = text.str().find(from, at);
    if (at == std::string_view::npos) break;
    result.append(text.slice(done, at)).append(to);
    done = at + from.size();
    at = done;
    if (from.empty()) {  // between all characters, and at both ends
      if (at >= text.size()) break;
      at += code_point_at(text.str(), at).size_bytes;
    }
  }
  return result.append(text.slice(done, text.size()));
}

std::vector<Text> split(const Text& text, std::string_view separator, std::int64_t limit,
                        bool from_right) {
  std::vector<Text> pieces;
  if (from_right) {
    std::size_t end = text.size();
    while (limit-- != 0 && end >= separator.size()) {
      const std::size_t at = text.str().substr(0, end).rfind(separator);
      if (at == std::string_view::npos) break;
      pieces.push_back(text.slice(at + separator.size(), end));
      end = at;
    }
    pieces.push_back(text.slice(0, end));
    std::reverse(pieces.begin(), pieces.end());
    return pieces;
  }
  std::size_t begin = 0;
  while (limit-- != 0) {
    const std::size_t at = text.str().find(separator, begin);
    if (at == std::string_view::npos) break;
    pieces.push_back(text.slice(begin, at));
    begin = at + separator.size();
  }
  pieces.push_back(text.slice(begin, text.size()));
  return pieces;
}

std::vector<Text> split_whitespace(const Text& text, std::int64_t limit, bool from_right) {
  std::vector<TextRange> words;
  bool in_word = false;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = code_point_at(text.str(), i);
    const bool space = is_python_space(point.value);
    if (!space && !in_word) words.push_back({i, i});
    in_word = !space;
    i += point.size_bytes;
    if (in_word) words.back().end = i;
  }
  // What is left over beyond the limit stays in one piece, its own whitespace included.
  if (limit >= 0 && words.size() > static_cast<std::size_t>(limit) + 1) {
    if (from_right) {
      const auto last = words.end() - limit - 1;
      *last = {0, last->end};
      words.erase(words.begin(), last);
    } else {
      words.resize(static_cast<std::size_t>(limit) + 1);
      words.back().end = text.size();
    }
  }
  std::vector<Text> pieces;
  for (const TextRange& word : words) pieces.push_back(text.slice(word.begin, word.end));
  return pieces;
}

std::vector<Text> split_lines(const Text& text, bool keep_ends) {
  const auto is_break = [](char32_t c) {
    return (c >= 0xA && c <= 0xD) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
           c == 0x2029;
  };
  std::vector<Text> lines;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = code_point_at(text.str(), i);
    std::size_t next = i + point.size_bytes;
    if (is_break(point.value)) {
      if (point.value == '\r' && next < text.size() && text.str()[next] == '\n') ++next;
      lines.push_back(text.slice(begin, keep_ends ? next : i));
      begin = next;
    }
    i = next;
  }
  if (begin < text.size()) lines.push_back(text.slice(begin, text.size()));
  return lines;
}

std::vector<std::size_t> code_point_borders(std::string_view text) {
  std::vector<std::size_t> borders;
  borders.reserve(text.size() + 1);
  for (std::size_t i = 0; i < text.size(); i += code_point_at(text, i).size_bytes) {
    borders.push_back(i);
  }
  borders.push_back(text.size());
  return borders;
}

}  // namespace hone::tokenizer::jinja
