#include "io/utf8.h"

#include <simdjson.h>

#include <algorithm>
#include <cstdint>

namespace hone::io {
namespace {

/// Bytes of the well-formed sequence that `text` begins with; 0 where it begins with none.
/// The second byte's ranges rule out overlong forms, surrogates and code points above U+10FFFF.
/// @source The Unicode Standard 15, table 3-7
std::size_t sequence_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  const auto second = static_cast<unsigned char>(text[1]);
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (second < low || second > high) return 0;
  const bool rest = std::all_of(
      text.begin() + 2, text.begin() + static_cast<std::ptrdiff_t>(length), is_utf8_continuation);
  return rest ? length : 0;
}

}  // namespace

std::optional<std::size_t> first_invalid_utf8(std::string_view text) {
  if (simdjson::validate_utf8(text.data(), text.size())) return std::nullopt;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = sequence_length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return std::nullopt;
}

std::size_t count_code_points(std::string_view text) {
  return text.size() -
         static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_utf8_continuation));
}

}  // namespace hone::io
