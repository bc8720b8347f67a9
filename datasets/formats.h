#pragma once

#include <string>

#include "datasets/record.h"

namespace hone::datasets {

// The two ways of each row format (row_format.h says what they promise), by family.

// chat_formats.cpp
Record messages_to_record(Row row);
Row messages_from_record(const Record& record, std::string& lost);

// text_formats.cpp
Record tokens_to_record(Row row);
Row tokens_from_record(const Record& record, std::string& lost);

}  // namespace hone::datasets
