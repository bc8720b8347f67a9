#pragma once

#include <cstdint>
#include <filesystem>

#include "model/decoder.h"

namespace hone::model {

/// Writes a Hugging Face folder as save_decoder() does, or save_packed_decoder() where layers are
/// packed, the weights cut into files of at most so many bytes (a larger tensor has one alone):
/// model-00001-of-00003.safetensors and so on, with model.safetensors.index.json; one file where
/// they fit.
/// @source transformers' save_pretrained(max_shard_size=…)
void save_sharded(Decoder& decoder, const std::filesystem::path& folder,
                  const std::filesystem::path& base, torch::Dtype dtype,
                  std::int64_t max_shard_size_bytes);

}  // namespace hone::model
