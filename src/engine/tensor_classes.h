#pragma once

#include <string>

#include "engine/session.h"

namespace hone::engine {

/// What each class of tensors of a run is kept in, and how much memory those take that stay:
/// "trained weights fp32 (masters), 0.5 MB; gradients fp32, 0.5 MB; moments fp32, 1.1 MB;
/// activations bf16; sums, norms and losses fp32". The frozen weights are kept_as()'s to tell.
std::string tensor_classes(const Session& session);

/// What the gradients of a step take at the most; those of a backward pass that updates as it goes,
/// one at a time.
std::int64_t gradient_bytes(const Session& session);

}  // namespace hone::engine
