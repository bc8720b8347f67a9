#pragma once

#include <filesystem>

#include "adapters/adapter.h"
#include "export/gguf_model.h"

namespace hone::exporting {

/// Writes a LoRA as llama.cpp's adapter GGUF: `<weight>.lora_a` [r, in] and `<weight>.lora_b`
/// [out, r], with the rows of queries and keys where that file's base has them; experts' pairs are
/// stacked, and the embedding's A stands transposed. The file has one `adapter.lora.alpha`, by
/// which llama.cpp computes alpha / r for each pair with that pair's own r; another scaling
/// (rsLoRA, alpha_pattern) is multiplied into B.
/// @param decoder the base, which says what its GGUF file is called like; nothing attached
/// @param type    f32 or f16
/// @throws ConfigError for an adapter that is no LoRA, and for what the format has no place for:
///         magnitudes, biases, whole modules, rows of tokens, an adapted embedding that is the
///         head, stacked weights (target_parameters)
/// @source llama.cpp, src/llama-adapter.cpp, and build_lora_mm, build_inp_embd in llama-graph.cpp
void write_gguf_adapter(const adapters::Adapter& adapter, model::Decoder& decoder, ggml_type type,
                        const GgufOrigin& origin, const std::filesystem::path& path);

/// Adds what such a file holds to the weights of its base, in f32, as llama.cpp computes it.
/// @throws DataError where it is no adapter, or one of another base
void merge_gguf_adapter(const std::filesystem::path& path, model::Decoder& decoder);

}  // namespace hone::exporting
