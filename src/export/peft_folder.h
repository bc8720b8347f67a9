#pragma once

#include <array>
#include <string_view>

#include "export/target.h"

namespace hone::exporting {

/// What adapters and models are written as, the default first.
inline constexpr std::array<std::string_view, 3> kPeftTypes = {"f32", "bf16", "f16"};
inline constexpr std::array<std::string_view, 5> kHuggingFaceTypes = {"bf16", "f16", "f32", "nf4",
                                                                      "int8"};

/// A PEFT folder where the job has an adapter, else a Hugging Face folder (shards of at most
/// max_shard_size_bytes, config.json, generation_config.json), each with the tokenizer, where the
/// base has one in Hugging Face's files, and the chat template.
/// nf4 and int8 are packed as bitsandbytes lays them out.
/// @throws ConfigError where a layer does not go into the type
void write_adapter_or_model(const Job& job);
ReadBack read_adapter_or_model(const Job& job);

/// Bytes of the weights' files of a merged model in one of kHuggingFaceTypes.
std::int64_t hugging_face_bytes(model::Decoder& decoder, std::string_view type);

}  // namespace hone::exporting
