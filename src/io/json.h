#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace hone::io {

/// Objects and arrays inside one another, at most.
inline constexpr int kMaxJsonDepth = 128;
/// Whole documents beyond this are refused; the largest tokenizer.json files have some 50 MB.
inline constexpr std::size_t kMaxJsonBytes = std::size_t{1} << 30;

/// Where a text stands, for messages.
struct TextOrigin {
  std::string name;             ///< file name, or "<stdin>"
  std::int64_t first_line = 1;  ///< the line on which the text begins
  std::int64_t first_byte = 0;  ///< its offset in the file
};

/// What a key that is given twice means. Python keeps the last; safetensors refuses.
enum class JsonKeys { kLastWins, kUnique };

/// A whole document. A byte order mark is skipped.
/// @throws DataError with file, line, column, reason and excerpt where it is not UTF-8 JSON, is
///         nested beyond kMaxJsonDepth or larger than kMaxJsonBytes; also where there is no file
nlohmann::json read_json(const std::filesystem::path& path);

/// The same, with every object's keys in the order of the file.
nlohmann::ordered_json read_ordered_json(const std::filesystem::path& path);

/// @throws DataError as read_json
nlohmann::json parse_json(std::string_view text, const TextOrigin& origin,
                          JsonKeys keys = JsonKeys::kLastWins);
nlohmann::ordered_json parse_ordered_json(std::string_view text, const TextOrigin& origin);

}  // namespace hone::io
