#include "io/json.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <set>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "io/input_file.h"
#include "io/utf8.h"

namespace hone::io {
namespace {

/// "file:line:column" of a byte; columns count characters, from 1.
std::string location(std::string_view text, std::size_t offset, const TextOrigin& origin) {
  const std::string_view before = text.substr(0, offset);
  const auto line = origin.first_line + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return fmt::format("{}:{}:{}", origin.name, line,
                     count_code_points(before.substr(line_start)) + 1);
}

/// A few characters of the line around a byte, cut between characters, control codes as '?'.
std::string excerpt(std::string_view text, std::size_t offset) {
  constexpr std::size_t kBefore = 40, kAfter = 20;
  std::size_t begin = text.substr(0, offset).rfind('\n') + 1;
  std::size_t end = std::min(text.find('\n', offset), text.size());
  const bool cut_left = offset - begin > kBefore, cut_right = end - offset > kAfter;
  if (cut_left) begin = offset - kBefore;
  if (cut_right) end = offset + kAfter;
  while (begin < end && is_utf8_continuation(text[begin])) ++begin;
  while (end < text.size() && is_utf8_continuation(text[end])) ++end;
  std::string result(text.substr(begin, end - begin));
  for (char& c : result)
    if (std::iscntrl(static_cast<unsigned char>(c))) c = '?';
  return fmt::format("{}{}{}", cut_left ? "…" : "", result, cut_right ? "…" : "");
}

[[noreturn]] void refuse(std::string_view text, std::size_t offset, const TextOrigin& origin,
                         std::string_view reason) {
  throw DataError(fmt::format("{}: {}; near `{}`", location(text, offset, origin), reason,
                              excerpt(text, offset)));
}

void check_utf8(std::string_view text, const TextOrigin& origin) {
  const std::optional<std::size_t> bad = first_invalid_utf8(text);
  if (!bad) return;
  throw DataError(fmt::format(
      "{}: byte {} of the file (0x{:02x}) is not valid UTF-8. Save the file as UTF-8, for example "
      "with `iconv -f latin1 -t utf-8`",
      location(text, *bad, origin), origin.first_byte + static_cast<std::int64_t>(*bad),
      static_cast<unsigned char>(text[*bad])));
}

/// A pass of its own, so that the parser never sees what would make later recursion deep.
void check_depth(std::string_view text, const TextOrigin& origin) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') in_string = !in_string;
    if (in_string) {
      if (c == '\\') ++i;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxJsonDepth)
        refuse(text, i, origin, fmt::format("JSON nested deeper than {} levels", kMaxJsonDepth));
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
}

/// The part of the library's message that says why: "syntax error while parsing ...".
std::string reason_of(const nlohmann::json::exception& error) {
  constexpr std::size_t kMaxBytes = 200;  // it quotes the token, which may be a whole document
  std::string_view text = error.what();
  if (const auto end = text.find("] "); end != text.npos) text.remove_prefix(end + 2);
  if (text.starts_with("parse error at"))
    if (const auto end = text.find(": "); end != text.npos) text.remove_prefix(end + 2);
  if (text.size() <= kMaxBytes) return std::string(text);
  std::size_t end = kMaxBytes;
  while (is_utf8_continuation(text[end])) --end;
  return fmt::format("{}…", text.substr(0, end));
}

template <class Json>
typename Json::parser_callback_t refuse_repeated_keys(const TextOrigin& origin) {
  auto open_objects = std::make_shared<std::vector<std::set<std::string>>>();
  return [open_objects, &origin](int, typename Json::parse_event_t event, Json& parsed) {
    using Event = typename Json::parse_event_t;
    if (event == Event::object_start) open_objects->emplace_back();
    if (event == Event::object_end) open_objects->pop_back();
    if (event == Event::key) {
      const auto& key = parsed.template get_ref<const std::string&>();
      HONE_CHECK(DataError, open_objects->back().insert(key).second,
                 "{}: the key '{}' is given twice in one object", origin.name, key);
    }
    return true;
  };
}

template <class Json>
Json parse(std::string_view text, const TextOrigin& origin, JsonKeys keys) {
  check_utf8(text, origin);
  check_depth(text, origin);
  typename Json::parser_callback_t callback;
  if (keys == JsonKeys::kUnique) callback = refuse_repeated_keys<Json>(origin);
  try {
    return Json::parse(text.begin(), text.end(), callback);
  } catch (const nlohmann::json::parse_error& error) {
    refuse(text, std::min(error.byte > 0 ? error.byte - 1 : 0, text.size()), origin,
           reason_of(error));
  } catch (const nlohmann::json::exception& error) {  // a number out of range; it has no position
    throw DataError(fmt::format("{}:{}: {}", origin.name, origin.first_line, reason_of(error)));
  }
}

template <class Json>
Json read(const std::filesystem::path& path) {
  require_file(path, "a JSON document");
  std::error_code ignored;
  const std::uintmax_t size_bytes = std::filesystem::file_size(path, ignored);
  HONE_CHECK(DataError, ignored || size_bytes <= kMaxJsonBytes,
             "{}: a JSON document of {} bytes is refused; at most {} are read", path.string(),
             size_bytes, kMaxJsonBytes);
  const std::string content = read_file(path);
  std::string_view text = content;
  TextOrigin origin{path.string()};
  if (text.starts_with(kByteOrderMark)) {
    text.remove_prefix(kByteOrderMark.size());
    origin.first_byte = static_cast<std::int64_t>(kByteOrderMark.size());
  }
  return parse<Json>(text, origin, JsonKeys::kLastWins);
}

}  // namespace

nlohmann::json read_json(const std::filesystem::path& path) { return read<nlohmann::json>(path); }

nlohmann::ordered_json read_ordered_json(const std::filesystem::path& path) {
  return read<nlohmann::ordered_json>(path);
}

nlohmann::json parse_json(std::string_view text, const TextOrigin& origin, JsonKeys keys) {
  return parse<nlohmann::json>(text, origin, keys);
}

nlohmann::ordered_json parse_ordered_json(std::string_view text, const TextOrigin& origin) {
  return parse<nlohmann::ordered_json>(text, origin, JsonKeys::kLastWins);
}

}  // namespace hone::io
