#pragma once

#include <filesystem>
#include <string>

#include "export/gguf_types.h"
#include "model/decoder.h"
#include "tokenizer/gguf_vocabulary.h"

namespace hone::exporting {

/// Where a model comes from, as its GGUF file is to tell.
struct GgufOrigin {
  std::string name;            ///< `general.name`
  std::filesystem::path base;  ///< folder or .gguf file: what it says of its licence goes along
  std::string base_name;       ///< `general.base_model.0.name`
};

/// Writes a model as GGUF file for llama.cpp. The file is written tensor by tensor and holds one at
/// a time, some rows of it in f32; it appears complete or not at all.
/// @param decoder with nothing attached
/// @param text    its `source` empty: the file has no vocabulary
/// @throws ConfigError where llama.cpp cannot serve the model; DataError where it has no
/// counterpart
///         for the tokenizer, or where a value is not finite in the file's type
void write_gguf_model(model::Decoder& decoder, const GgufMix& mix, const GgufOrigin& origin,
                      const tokenizer::GgufText& text, const std::filesystem::path& path);

/// Bytes of the tensors of such a file. @param type the name of a mix
std::int64_t gguf_model_bytes(model::Decoder& decoder, std::string_view type);

/// Rows of numbers as blocks of a type, by ggml's own functions, on all threads.
/// @param rows [n, columns] f32, contiguous
/// @param name of the tensor, for the message
/// @throws DataError where a value is not finite there
std::string pack_rows(const torch::Tensor& rows, ggml_type type, const std::string& name);

/// What stands in `general.…` of every file that hone writes.
void add_origin(const GgufOrigin& origin, io::GgufContents& contents);

}  // namespace hone::exporting
