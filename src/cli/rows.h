#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/text.h"
#include "io/jsonl.h"

namespace hone::cli {

/// Rows of a JSONL file (or stdin, "-"), with look-ups whose errors name file, line and key.
class RowSource {
 public:
  explicit RowSource(const std::string& path) : reader_(path) {}

  std::optional<io::JsonlRow> next() { return reader_.next(); }

  /// Runs `action`, and puts file and line before the message of a DataError from it.
  template <class Action>
  auto at(const io::JsonlRow& row, Action&& action) const {
    try {
      return action();
    } catch (const DataError& error) {
      const std::string place = where(row);
      if (std::string_view(error.what()).starts_with(place)) throw;
      throw DataError(place + ": " + error.what());
    }
  }

  /// @throws DataError where the key is missing or no text
  std::string text(const io::JsonlRow& row, const char* key) const;
  /// @throws DataError where the key is missing or no list of token ids
  std::vector<std::int64_t> ids(const io::JsonlRow& row, const char* key) const;
  std::string where(const io::JsonlRow& row) const;

 private:
  io::JsonlReader reader_;
};

/// Tokens of a row that says what it is by its key: `input_ids`, `text`, or `messages` (rendered
/// whole, without a generation prompt).
/// @throws DataError for a row with none of them
std::vector<std::int64_t> tokens_of(const io::JsonlRow& row, const RowSource& rows,
                                    const engine::Text& text);

}  // namespace hone::cli
