#pragma once

#include <filesystem>
#include <string>

namespace hone::test {

/// What a GGUF file can say of a model: a copy of a tiny model's folder whose config lacks the rest
/// (an attention scale or a period of layers that llama.cpp has no key for, windows that it
/// ignores). `to` is made.
void copy_for_gguf(const std::filesystem::path& from, const std::filesystem::path& to);

/// The bytes of a GGUF file of the model in a Hugging Face folder, in f32 and without a vocabulary:
/// names, shapes and order of rows as llama.cpp's converter has them. Independent of src/model.
/// @source llama.cpp: src/llama-arch.cpp (names), src/models/*.cpp (what each architecture reads)
std::string gguf_of(const std::filesystem::path& folder);

}  // namespace hone::test
