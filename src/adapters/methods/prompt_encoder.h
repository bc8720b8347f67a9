#pragma once

#include <vector>

#include "adapters/method.h"

namespace hone::adapters {

/// The network that makes p-tuning's virtual tokens, as `encoder_reparameterization_type` says: an
/// embedding of them, and three linear layers (MLP) or a bidirectional LSTM and two linear layers.
/// A folder holds only what it makes, so it is left behind once that is saved.
/// @source arXiv:2103.10385, section 3.2, as PEFT's PromptEncoder

/// Its tensors, under PEFT's names.
/// @throws DataError for another type of network
std::vector<TensorSpec> prompt_encoder_tensors(const model::Decoder& decoder,
                                               const Settings& settings);

/// What it makes. @param dropping of what goes from one layer of the LSTM to the next
/// @return [num_virtual_tokens, H] f32
Tensor encode_prompt(const Settings& settings, const Tensors& tensors, const Dropping& dropping);

}  // namespace hone::adapters
