#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace hone::io {

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// True for the second and later bytes of a multi-byte character.
constexpr bool is_utf8_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

/// The place of the first byte that is not well-formed UTF-8 (surrogates, overlong forms and code
/// points beyond U+10FFFF are not); none where all of `text` is.
std::optional<std::size_t> first_invalid_utf8(std::string_view text);

/// Code points in well-formed UTF-8.
std::size_t count_code_points(std::string_view text);

}  // namespace hone::io
