#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "io/byte_source.h"
#include "io/row_reader.h"

namespace hone::io {

/// The rows of a table of text with a header row: one object a row, its values the fields as text.
/// A field in double quotes may hold delimiters, line ends and "" for a quote; CRLF line ends and a
/// byte order mark are accepted, empty lines skipped.
/// @param delimiter ',' or '\t'
/// @throws DataError where there is no header, or a column of it has no name or another's
/// @source RFC 4180
std::unique_ptr<RowReader> open_csv_rows(std::unique_ptr<ByteSource> source, std::string name,
                                         char delimiter);

/// A field as a CSV file needs it: in quotes where it has to be.
std::string csv_field(std::string_view text, char delimiter);

}  // namespace hone::io
