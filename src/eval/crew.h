#pragma once

#include <cstddef>
#include <functional>
#include <vector>

namespace hone::eval {

using Numbers = std::vector<double>;

/// Processes that measure a model together, each a share of the rows. What they find is the same
/// as one alone finds, to the bit where a row's numbers do not depend on its neighbours: all of
/// them get all numbers, and add them up in the order of the rows.
struct Crew {
  int rank = 0, world = 1;
  /// Whether a pass through the model is one that all have to make together.
  bool passes_together = false;
  /// Every process's numbers, by rank. All call it equally often.
  std::function<std::vector<Numbers>(const Numbers& own)> exchange = {};

  bool is_alone() const { return world == 1; }
};

/// Up to `world` pieces of work, of which each process does one. Who has none does the first again,
/// so that all make as many passes. Signals wait until it is over; then all leave where one has got
/// one.
/// @param measure gives what is found of a piece, by its index
/// @return of each piece, in order
/// @throws Interrupted on all
std::vector<Numbers> measure_round(const Crew& crew, std::size_t count,
                                   const std::function<Numbers(std::size_t index)>& measure);

/// Every process's numbers, by rank. @throws Interrupted on all where one has got a signal
std::vector<Numbers> exchange_or_leave(const Crew& crew, Numbers own);

}  // namespace hone::eval
