#pragma once

#include <memory>

#include "adapters/dropout.h"
#include "model/decoder.h"

namespace hone::engine {

/// Has the decoder add noise to the embedding while it is trained: even in ±alpha / √(L·H) for a
/// document of L tokens and a hidden size of H. A number is a function of seed, step, the token's
/// place in the step and its column, as dropout's are.
/// @param state says when it is on: while dropout is, and gradients are wanted
/// @source NEFTune, arXiv:2310.05914; transformers' neftune_noise_alpha, whose L counts padding too
void add_neftune(model::Decoder& decoder, double alpha,
                 std::shared_ptr<const adapters::DropoutState> state);

}  // namespace hone::engine
