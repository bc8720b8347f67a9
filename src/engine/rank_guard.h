#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/step_feed.h"
#include "engine/session.h"

namespace hone::engine {

using torch::Tensor;

/// A sum over a tensor's bytes in which each word of four has an odd weight of its own, modulo
/// 2^64: one flipped bit always shows, and so do words that change places.
std::uint64_t checksum(const Tensor& tensor);

/// What a rank says of a tensor that others may have as well.
struct Checked {
  std::string name;
  std::int64_t begin = 0, elements = 0;  ///< ranks compare it where these are the same
  std::uint64_t sum = 0;
};

/// Compares what ranks say, which all call together with the same names.
/// @throws DistributedError on all ranks, where two differ: it names the first such tensor, and the
///         ranks that differ from most
void check_alike(const distributed::Group& group, const std::vector<Checked>& own,
                 std::int64_t step);

/// Of a step that is done: its number, its rows and the trained weights, of parts those that
/// several ranks keep. @throws DistributedError as check_alike()
void check_ranks(const Session& session, std::int64_t step, const datasets::StepFeed::Step& rows);

}  // namespace hone::engine
