#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/example.h"
#include "datasets/load.h"
#include "datasets/options.h"

namespace hone::datasets {

using Row = nlohmann::ordered_json;

/// What rows are read with. The rest is taken from the tokenizer once, not with each row.
struct RowContext {
  RowContext(const DataOptions& options, const TextTools& tools);

  const DataOptions& options;
  const TextTools& tools;
  std::vector<std::string> special_tokens;
  Row template_variables = Row::object();  ///< "bos_token", "eos_token", ...
};

/// One way to write a row.
struct RowFormat {
  std::string_view name;  ///< as in data.format
  std::string_view key;   ///< a row that has it is of this format
  bool is_rendered;       ///< goes through the chat template
  /// Ids, weights and what else the row itself says of an Example.
  /// @throws DataError saying what is wrong with it; the caller adds file and line
  Example (*read)(const Row& row, const RowContext& context);
};

std::span<const RowFormat> row_formats();

/// @throws ConfigError where there is none of that name
const RowFormat& row_format_named(std::string_view name);

/// What a row's keys say.
/// @throws DataError where it is of no format, or of several
const RowFormat& row_format_of(const Row& row);

/// The row's keys, for messages.
std::string keys_of(const Row& row);

// One file each: message_row.cpp, token_row.cpp.
Example read_message_row(const Row& row, const RowContext& context);
Example read_token_row(const Row& row, const RowContext& context);

}  // namespace hone::datasets
