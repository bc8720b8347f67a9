#pragma once

#include "adapters/adapter.h"

namespace hone::adapters {

/// Writes what an adapter does into the base's weights, in f32; the model then computes without it
/// what it computed with it.
/// @post the decoder has no adapter; a tied head that the adapter told apart is untied
/// @throws ConfigError where no weight can hold it (virtual tokens, bottlenecks, a bias where the
///         base has none)
void merge(Adapter& adapter, model::Decoder& decoder);

/// The same for what is attached to one layer, and to the head and the embedding.
void merge_linear(model::Linear& linear);
void merge_ends(model::Decoder& decoder);

}  // namespace hone::adapters
