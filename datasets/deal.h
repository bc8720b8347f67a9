#pragma once

#include <cstdint>
#include <vector>

namespace hone::datasets {

/// Deals a step's micro-batches to ranks: to none more than its share of their number, rounded up,
/// and to each about as many tokens as their sizes allow. A function of the sizes alone, so that
/// all ranks know it.
/// @param tokens of each micro-batch
/// @return the rank of each
/// @source Graham, "Bounds on multiprocessing timing anomalies" (1969): the longest first, each to
///         the rank that has least so far
std::vector<int> deal(const std::vector<std::int64_t>& tokens, int world);

}  // namespace hone::datasets
