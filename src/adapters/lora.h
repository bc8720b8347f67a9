#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "adapters/options.h"
#include "kernels/dropout/dropout.h"
#include "model/decoder.h"

namespace hone::adapters {

using torch::Tensor;

/// What dropout in a forward pass depends on besides the element: set by the trainer before each
/// micro-batch, read by every adapted layer.
struct DropoutState {
  bool training = false;
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
  std::uint64_t first_row = 0;  ///< tokens of this optimizer step that earlier micro-batches held
};

/// The low-rank update of one linear layer.
struct LoraLayer {
  std::string module;  ///< transformers' name of the layer
  Tensor a;            ///< [r, in] f32
  Tensor b;            ///< [out, r] f32
};

/// A LoRA adapter as PEFT knows it: its options and the two matrices of each adapted layer.
struct Lora {
  AdapterOptions options;  ///< `target_modules` are the names that name_targets() gives
  std::vector<LoraLayer> layers;

  /// s in y = Wx + s·BAx: alpha/r, or alpha/√r with rsLoRA (arXiv:2312.03732).
  double scaling() const;
  std::int64_t parameter_count() const;
};

/// A fresh adapter: A Kaiming-uniform(a = √5) from the counter-based generator, B zero, so that the
/// model starts as its base. The numbers depend on seed and layer only.
/// @throws ConfigError when a target names no layer
Lora init_lora(model::Decoder& decoder, const AdapterOptions& options, std::uint64_t seed);

/// What adapter_config.json calls the adapted layers: their last name (`q_proj`) where every layer
/// of that name is adapted, else their whole names; sorted.
std::vector<std::string> name_targets(const std::vector<LoraLayer>& layers,
                                      model::Decoder& decoder);

/// Puts the adapter into the model's layers; from then on the model computes with it. The layers
/// share `lora`'s tensors, and read `dropout_state` at each forward pass where dropout is set.
void attach(const Lora& lora, model::Decoder& decoder,
            std::shared_ptr<const DropoutState> dropout_state = nullptr);

/// Takes all adapters off: the model is its base again.
void detach(model::Decoder& decoder);

/// Writes a PEFT folder (adapter_config.json, adapter_model.safetensors), whole or not at all.
/// @param base what adapter_config.json names as the base model
void save_lora(const Lora& lora, const std::filesystem::path& folder, const std::string& base);

/// Reads a PEFT folder for this model.
/// @throws DataError naming together what PEFT allows and hone does not, tensors that are missing,
///         not expected or of another shape
Lora load_lora(const std::filesystem::path& folder, model::Decoder& decoder);

}  // namespace hone::adapters
