#pragma once

#include <cstdint>
#include <string>

#include "datasets/record.h"

namespace hone::datasets {

/// What a record trains on as one text, the same for every format and order of keys: JSON with
/// sorted keys, without the row's other keys (an id, a source). Equal texts are duplicates.
std::string canonical_content(const Record& record);

/// A number of that text, uniform over 64 bits: the share of the numbers that lies below a bound is
/// the share of the rows, and a row's number never depends on other rows.
/// @param seed another one gives other numbers
std::uint64_t content_hash(const Record& record, std::uint64_t seed);

}  // namespace hone::datasets
