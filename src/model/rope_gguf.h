#pragma once

#include "model/gguf_metadata.h"
#include "model/spec.h"

namespace hone::model {

/// Fills spec.ropes from a GGUF file's metadata and its tensors of divisors, and says in
/// spec.layers which layer turns by which. @throws DataError
/// @source llama.cpp, convert_hf_to_gguf's keys as src/llama-model.cpp reads them
void read_ropes(const GgufMetadata& metadata, Spec& spec);

}  // namespace hone::model
