#pragma once

#include <filesystem>
#include <memory>

#include "io/row_reader.h"

namespace hone::io {

/// The rows of a Parquet file, one row group in memory at a time. Keys whose value is null are left
/// out, also inside structs: Parquet cannot tell them from keys that a row does not have.
/// libhone_parquet.so, which brings Arrow along, is opened at the first call.
/// @throws DataError where the file is no Parquet file, or cut short
/// @throws Error where hone was built without it
std::unique_ptr<RowReader> open_parquet_rows(const std::filesystem::path& path);

}  // namespace hone::io
