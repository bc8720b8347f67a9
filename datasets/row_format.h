#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "datasets/columns.h"
#include "datasets/load.h"
#include "datasets/options.h"
#include "datasets/record.h"
#include "tokenizer/turns.h"

namespace hone::datasets {

/// What rows are read with. The rest is taken from the tokenizer once, not with each row.
struct RowContext {
  RowContext(const DataOptions& options, const TextTools& tools);

  const DataOptions& options;
  const TextTools& tools;
  tokenizer::StopTokens stops;
  Row template_variables = Row::object();  ///< "bos_token", "eos_token", ...
};

/// One way to write a row.
struct RowFormat {
  std::string_view name;  ///< as in data.format
  /// Keys that a row of this format has, separated by spaces; where there are several ways to write
  /// one, "|" stands between them: "input_ids | prompt_ids completion_ids label".
  std::string_view keys;
  std::string_view optional;  ///< keys that it may have beside them
  std::string_view help;      ///< for `hone explain`, as a sentence without its end
  /// @throws DataError saying what is wrong with the row; the caller adds its place
  Record (*to_record)(Row row);
  /// The way back, for `hone data convert`.
  /// @param lost what of the record the format has no place for, in words; untouched where it
  ///        holds everything
  /// @throws DataError where a record of its kind cannot be written so at all
  Row (*from_record)(const Record& record, std::string& lost);
};

std::span<const RowFormat> row_formats();

/// @throws ConfigError where there is none of that name
const RowFormat& row_format_named(std::string_view name);

/// What a row's keys say: the format whose keys it has. A format that needs all the keys of another
/// one and more goes before it.
/// @throws DataError where it is of no format, or of several
const RowFormat& row_format_of(const Row& row);

/// The format of a file whose first row this is, with data.columns applied; the log tells it.
/// @param name as in data.format; "auto": what the row's keys say
/// @throws DataError as row_format_of; ConfigError where there is no such format
const RowFormat& choose_format(const Row& first_row, const std::string& name,
                               const std::string& file);

/// A row of a file of that format as a record.
/// @throws DataError where it has not the format's keys, or they hold something else
Record to_record(Row row, const RowFormat& format);

/// What is wrong with a mapping of columns: a key that the format (as in data.format) does not
/// have, with the nearest one that it has. Empty: nothing.
std::string wrong_columns(const Columns& columns, const std::string& format);

/// The row's keys, for messages.
std::string keys_of(const Row& row);

}  // namespace hone::datasets
