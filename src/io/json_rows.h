#pragma once

#include <memory>
#include <string>

#include "io/byte_source.h"
#include "io/row_reader.h"

namespace hone::io {

/// The rows of one JSON document, in constant memory: an array of objects, or an object that has
/// exactly one array of objects among its values (the others are passed over).
std::unique_ptr<RowReader> open_json_rows(std::unique_ptr<ByteSource> source, std::string name);

}  // namespace hone::io
