#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/text.h"
#include "io/row_reader.h"

namespace hone::cli {

/// One row and its place in its file.
struct PlacedRow {
  std::int64_t number;
  nlohmann::ordered_json value;
};

/// Rows of a file (or stdin, "-"), with look-ups whose errors name file, row and key.
class RowSource {
 public:
  explicit RowSource(const std::string& path) : reader_(io::open_rows(path)) {}

  /// @throws DataError for a row that is wrong
  std::optional<PlacedRow> next();

  /// Runs `action`, and puts file and line before the message of a DataError from it.
  template <class Action>
  auto at(const PlacedRow& row, Action&& action) const {
    try {
      return action();
    } catch (const DataError& error) {
      const std::string place = where(row);
      if (std::string_view(error.what()).starts_with(place)) throw;
      throw DataError(place + ": " + error.what());
    }
  }

  /// @throws DataError where the key is missing or no text
  std::string text(const PlacedRow& row, const char* key) const;
  /// @throws DataError where the key is missing or no list of token ids
  std::vector<std::int64_t> ids(const PlacedRow& row, const char* key) const;
  std::string where(const PlacedRow& row) const;

 private:
  std::unique_ptr<io::RowReader> reader_;
};

/// Tokens of a row that says what it is by its key: `input_ids`, `text`, or `messages` (rendered
/// whole, without a generation prompt).
/// @throws DataError for a row with none of them
std::vector<std::int64_t> tokens_of(const PlacedRow& row, const RowSource& rows,
                                    const engine::Text& text);

}  // namespace hone::cli
