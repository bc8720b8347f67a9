#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "datasets/example.h"
#include "datasets/load.h"
#include "datasets/options.h"

namespace hone::datasets {

using Row = nlohmann::ordered_json;

/// What rows are read with.
struct RowContext {
  const DataOptions& options;
  const TextTools& tools;
};

/// One way to write a row.
struct RowFormat {
  std::string_view name;  ///< as in data.format
  std::string_view key;   ///< a row that has it is of this format
  bool is_rendered;       ///< goes through the chat template
  /// Ids, weights and straddling tokens of a row.
  /// @throws DataError saying what is wrong with it; the caller adds file and line
  Example (*read)(const Row& row, const RowContext& context);
};

std::span<const RowFormat> row_formats();

Example read_token_row(const Row& row, const RowContext& context);

}  // namespace hone::datasets
