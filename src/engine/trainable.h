#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "adapters/lora.h"
#include "model/decoder.h"
#include "optim/parameter.h"

namespace hone::engine {

/// What a run trains: a LoRA adapter on a frozen base, or every weight of the model.
struct Trainable {
  std::optional<adapters::Lora> lora;
  std::shared_ptr<adapters::DropoutState> dropout;
  std::vector<optim::Parameter> parameters;  ///< fp32 leaves, named as files name them

  std::int64_t parameter_count() const;
};

/// Makes the fp32 masters and puts them into the model.
/// @throws ConfigError where the options and the adapter of `init_from` contradict each other
Trainable make_trainable(model::Decoder& decoder, const adapters::AdapterOptions& options,
                         const config::Given& given, std::uint64_t seed);

/// Writes the product: `adapter/` in PEFT's format, or `model/` in Hugging Face's.
/// @return the folder
std::filesystem::path save_product(const Trainable& trainable, model::Decoder& decoder,
                                   const std::filesystem::path& run_folder,
                                   const std::filesystem::path& base);

}  // namespace hone::engine
