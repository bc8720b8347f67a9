#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "io/row_reader.h"

namespace hone::io {

/// What libhone_parquet.so exports: opens a file, whose rows the caller then owns.
/// @param passed_over gets the columns that have no JSON form: `"image" (binary)`
/// @throws DataError
using OpenParquet = RowReader* (*)(const std::filesystem::path& path,
                                   std::vector<std::string>& passed_over);
constexpr const char* kOpenParquetSymbol = "hone_open_parquet";

}  // namespace hone::io
