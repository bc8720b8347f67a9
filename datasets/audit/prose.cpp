#include "datasets/audit/prose.h"

#include <algorithm>
#include <optional>

namespace hone::datasets::audit {
namespace {

/// The characters that open or close a fenced block.
struct Fence {
  char mark;
  std::size_t length;
  bool is_bare;  // nothing but white space behind it: it can close a block
};

std::optional<Fence> fence_of(std::string_view line) {
  const std::size_t begin = line.find_first_not_of(' ');
  if (begin == line.npos || begin > 3 || (line[begin] != '`' && line[begin] != '~')) return {};
  const std::size_t end = std::min(line.find_first_not_of(line[begin], begin), line.size());
  if (end - begin < 3) return {};
  const std::string_view rest = line.substr(end);
  if (line[begin] == '`' && rest.find('`') != rest.npos) return {};  // inline code
  return Fence{line[begin], end - begin, rest.find_first_not_of(" \t\r\n") == rest.npos};
}

void append(std::vector<Segment>& all, std::size_t begin, std::size_t end, bool is_code) {
  if (begin == end) return;
  if (!all.empty() && all.back().is_code == is_code) {
    all.back().range.end = end;
  } else {
    all.push_back({{begin, end}, is_code});
  }
}

/// One line outside of a fenced block: spans between two runs of as many backticks are code.
void append_line(std::vector<Segment>& all, std::string_view text, std::size_t begin,
                 std::size_t end) {
  std::size_t done = begin;
  for (std::size_t i = begin; (i = text.find('`', i)) < end;) {
    const std::size_t inside = std::min(text.find_first_not_of('`', i), end);
    const std::size_t length = inside - i;
    std::size_t close = inside;
    while ((close = text.find('`', close)) < end) {
      const std::size_t after = std::min(text.find_first_not_of('`', close), end);
      if (after - close == length) {
        append(all, done, i, false);
        append(all, i, after, true);
        done = after;
        break;
      }
      close = after;
    }
    i = close < end ? done : inside;
  }
  append(all, done, end, false);
}

}  // namespace

Segments segments_of(std::string_view text) {
  Segments segments;
  std::optional<Fence> open;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
    const std::optional<Fence> fence = fence_of(text.substr(begin, end - begin));
    if (open) {
      append(segments.all, begin, end, true);
      if (fence && fence->is_bare && fence->mark == open->mark && fence->length >= open->length)
        open.reset();
    } else if (fence) {
      append(segments.all, begin, end, true);
      open = fence;
    } else {
      append_line(segments.all, text, begin, end);
    }
    begin = end;
  }
  segments.fence_open = open.has_value();
  return segments;
}

}  // namespace hone::datasets::audit
