#pragma once

#include <map>
#include <string>

#include "datasets/record.h"

namespace hone::datasets {

/// From hone's name of a key to the file's column: {"prompt": "question"}. A column inside objects
/// is named with dots: "data.question".
using Columns = std::map<std::string, std::string>;

/// Gives the mapped columns hone's names. They lose their own names; columns that are not mapped
/// keep theirs.
/// @throws DataError where the row has no such column, with the nearest name that it has
Row rename_columns(Row row, const Columns& columns);

}  // namespace hone::datasets
