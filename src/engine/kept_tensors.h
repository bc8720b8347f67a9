#pragma once

#include <optional>
#include <string>
#include <vector>

#include "checkpoint/pieces.h"
#include "engine/session.h"

namespace hone::engine {

using torch::Tensor;

/// A tensor of a checkpoint, as this rank keeps it: whole, or a part.
struct KeptTensor {
  std::string name;
  Tensor tensor;
  std::optional<optim::Part> part = {};
  std::size_t parameter = 0;  ///< where there is a part: the index of its parameter
};

/// The masters and what goes with them, and behind these the trainer's own.
std::vector<KeptTensor> trained_of(const Session& session);
/// The optimizer's. What is remembered of a part without elements is nothing.
std::vector<KeptTensor> moments_of(const Session& session);

/// Of each parameter, whether this rank is the first that keeps the part that it keeps. To be asked
/// by all ranks together. @throws InternalError where the ranks' parts are not the whole
std::vector<bool> first_with_part(const distributed::Group& group,
                                  const std::vector<optim::Parameter>& parameters);

/// Elements [begin, begin + count) of a stored tensor, flat, on the CPU.
Tensor read_elements(const checkpoint::StoredTensor& stored, std::int64_t begin,
                     std::int64_t count);
/// The whole of it.
Tensor read_whole(const checkpoint::StoredTensor& stored);

/// Puts what a checkpoint has of these tensors into them, reading no more than that.
/// @throws CheckpointError naming every tensor that does not fit
void restore(const std::vector<KeptTensor>& tensors, const checkpoint::StoredTensors& stored);

}  // namespace hone::engine
