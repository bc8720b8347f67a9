#pragma once

#include <filesystem>
#include <string>

#include "model/decoder.h"
#include "model/rope_options.h"
#include "quant/recipe.h"

namespace hone::model {

struct LoadOptions {
  torch::Dtype weight_dtype = torch::kFloat32;   ///< what the weights are kept in
  torch::Dtype compute_dtype = torch::kFloat32;  ///< what products are computed in
  torch::Device device = torch::kCPU;
  std::int64_t vocab_size = 0;  ///< where the model's own is smaller, it is given more rows
  RopeScalingOptions rope_scaling = {};  ///< in the place of the model's own, where it says a type
  quant::Recipe quantization = {};  ///< of the layers' matrices; all else stays in `weight_dtype`
  /// Layers that are not packed: the last parts of their names, or regular expressions that match
  /// the whole of them.
  std::vector<std::string> quantization_skip = {};
};

/// Loads a Hugging Face folder (config.json and safetensors, sharded or not) or a .gguf file, one
/// tensor at a time, straight into the target dtype or its packed form. What a folder holds packed
/// (bitsandbytes, compressed-tensors) stays packed.
/// @throws ConfigError where `quantization_skip` names no layer, or where a model that is packed is
///         to be packed
/// @throws DataError naming together all weights that are missing, unexpected or of another shape,
///         or where a weight holds a value that is not finite in the target dtype
Decoder load_decoder(const std::filesystem::path& model, const LoadOptions& options);

/// What a model is described by, without its weights. @throws DataError
Spec load_spec(const std::filesystem::path& model, const RopeScalingOptions& rope_scaling = {});

/// Writes a Hugging Face folder: model.safetensors under transformers' names, config.json (the one
/// of `base` where that is a folder, with the dtype set) and the tokenizer's files of `base`.
/// @param dtype what the weights are written as
/// @throws IoError; nothing half-written stays under a final name
void save_decoder(Decoder& decoder, const std::filesystem::path& folder,
                  const std::filesystem::path& base, torch::Dtype dtype);

/// The same with the matrices that are packed written as they are (packed_checkpoint.h), and a
/// `quantization_config` that says so. All of them are packed by one recipe.
/// @throws ConfigError where no checkpoint form holds them
void save_packed_decoder(Decoder& decoder, const std::filesystem::path& folder,
                         const std::filesystem::path& base, torch::Dtype dtype);

/// SHA-256 over the files that hold the weights, in the order of their names.
std::string hash_of_weights(const std::filesystem::path& model);

bool is_gguf(const std::filesystem::path& model);

}  // namespace hone::model
