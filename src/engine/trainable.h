#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "adapters/adapter.h"
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
/// @throws ConfigError where the options and the adapter of `init_from` contradict each other
Trainable make_trainable(model::Decoder& decoder, const adapters::AdapterOptions& options,
                         const config::Given& given, std::uint64_t seed);

/// Writes the product: `adapter/` in PEFT's format, or `model/` in Hugging Face's.
/// @param origin see Session::origin()
/// @return the folder
std::filesystem::path save_product(const Trainable& trainable, model::Decoder& decoder,
                                   const std::filesystem::path& run_folder,
                                   const std::filesystem::path& base, const nlohmann::json& origin);

/// The rope that an adapter's base had while it was trained, where that was not the base's own
/// (model.rope_scaling), as save_product() records it; else options that change nothing.
model::RopeScalingOptions rope_of_adapter(const std::filesystem::path& adapter);

}  // namespace hone::engine
