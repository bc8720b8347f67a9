#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "adapters/adapter.h"
#include "engine/text.h"
#include "model/decoder.h"
#include "model/rope_options.h"
#include "optim/parameter.h"

namespace hone::engine {

/// What a run trains: an adapter on a frozen base, or every weight of the model.
struct Trainable {
  std::optional<adapters::Adapter> adapter;
  std::shared_ptr<adapters::DropoutState> dropout;
  std::vector<optim::Parameter> parameters;  ///< fp32 leaves, named as files name them

  std::int64_t parameter_count() const;
  /// Adds the gradient of the method's own term of the loss, once a step. @return the term
  double backward_of_penalty() const;
};

/// Makes the fp32 masters and puts them into the model.
/// @param added_ids tokens that were added to the base, whose rows are trained in any case
/// @throws ConfigError where the options and the adapter of `init_from` contradict each other, or
///         where the method does not train the added tokens
Trainable make_trainable(model::Decoder& decoder, const adapters::AdapterOptions& options,
                         const config::Given& given, const std::vector<std::int64_t>& added_ids,
                         std::uint64_t seed);

/// Writes the product: `adapter/` in PEFT's format, or `model/` in Hugging Face's.
/// @param text its tokenizer is saved along where it is not the base's own
/// @return the folder
std::filesystem::path save_product(const Trainable& trainable, model::Decoder& decoder,
                                   const std::filesystem::path& run_folder,
                                   const std::filesystem::path& base, const Text& text);

/// The rope that an adapter's base had while it was trained, where that was not the base's own
/// (model.rope_scaling), as save_product() records it; else options that change nothing.
model::RopeScalingOptions rope_of_adapter(const std::filesystem::path& adapter);

}  // namespace hone::engine
