#pragma once

#include "datasets/dataset.h"

namespace hone::datasets {

/// Unpaired rows, each with a second document: its prompt with an answer to another one. Rows 2i
/// and 2i + 1 lend each other theirs, and of an odd number the last takes that of the row before
/// it: a function of the data's order alone, whatever is shuffled, cut into micro-batches or spread
/// over ranks. The second document is what KTO measures its baseline by.
/// @param limit the second document's tokens are cut to this; 0: they are not
/// @throws DataError where there are less than two rows
Dataset with_lent_answers(const Dataset& rows, std::int64_t limit);

}  // namespace hone::datasets
