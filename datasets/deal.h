#pragma once

#include <cstddef>
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

/// Shares rows out to micro-batches of about as many tokens each: the longest first, each to the
/// one that has least so far, ties to the first.
/// @param tokens of each row, at least 1
/// @param count of micro-batches, at most as many as rows
/// @return places of each one's rows, ascending; those with an earlier first row come first
std::vector<std::vector<std::size_t>> share_out(const std::vector<std::int64_t>& tokens,
                                                std::size_t count);

}  // namespace hone::datasets
