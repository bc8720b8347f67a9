#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hone::tokenizer::jinja {

/// Which input string a character came from. 0 is the template itself; other numbers are given out
/// by whoever makes the input values.
using Origin = std::int32_t;
inline constexpr Origin kTemplateOrigin = 0;

/// A string in which every byte knows its origin. All operations of the template language that cut,
/// join or rewrite strings go through these few, so that none can lose track:
///   append       keeps the origins of both parts
///   slice        keeps the origins of what remains
///   a rewrite    appends each new part with the origin of the part that it replaces
/// Origins are stored as runs: equal neighbours take no memory.
class Text {
 public:
  Text() = default;
  Text(std::string_view bytes, Origin origin = kTemplateOrigin) { append(bytes, origin); }
  Text(const char* bytes) : Text(std::string_view(bytes)) {}

  std::string_view str() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }

  Text& append(std::string_view bytes, Origin origin);
  Text& append(const Text& other);
  /// Bytes [begin, end), both within the text.
  Text slice(std::size_t begin, std::size_t end) const;

  Origin origin_at(std::size_t byte) const;
  /// The origin of all of the text; where there are several, the first that is not the template.
  Origin main_origin() const;

  struct Run {
    std::size_t end;  // first byte after it
    Origin origin;
    bool operator==(const Run&) const = default;
  };
  const std::vector<Run>& runs() const { return runs_; }

  bool operator==(const Text& other) const { return bytes_ == other.bytes_; }

 private:
  std::string bytes_;
  std::vector<Run> runs_;  // ascending; the last ends at bytes_.size()
};

/// Python's str methods, in code points and with Unicode's properties.
bool is_python_space(char32_t c);
/// Removes whitespace, or the characters of `chars`, at the ends.
Text strip(const Text& text, bool left, bool right, const std::string_view* chars = nullptr);
Text to_upper(const Text& text);
Text to_lower(const Text& text);
/// First character upper case, the others lower case.
Text capitalize(const Text& text);
/// At most `count` times (negative: always); a replaced part carries the replacement's origins.
Text replace(const Text& text, std::string_view from, const Text& to, std::int64_t count = -1);
/// At most `limit` cuts (negative: all), from the left or the right.
std::vector<Text> split(const Text& text, std::string_view separator, std::int64_t limit,
                        bool from_right);
/// At runs of whitespace, without empty pieces.
std::vector<Text> split_whitespace(const Text& text, std::int64_t limit, bool from_right);
std::vector<Text> split_lines(const Text& text, bool keep_ends);
/// Byte position of each code point, and the size at the end.
std::vector<std::size_t> code_point_borders(std::string_view text);

}  // namespace hone::tokenizer::jinja
