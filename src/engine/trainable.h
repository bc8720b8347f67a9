#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "adapters/adapter.h"
#include "adapters/changed_base.h"
#include "adapters/eva.h"
#include "adapters/rank_allocation.h"
#include "adapters/relora.h"
#include "engine/text.h"
#include "model/decoder.h"
#include "model/rope_options.h"
#include "optim/parameter.h"

namespace hone::engine {

/// What a run trains: an adapter on a frozen base, or every weight of the model.
struct Trainable {
  std::optional<adapters::Adapter> adapter;
  std::shared_ptr<adapters::DropoutState> dropout;
  std::vector<optim::Parameter> parameters;            ///< leaves, named as files name them
  std::optional<adapters::RankAllocation> allocation;  ///< of AdaLoRA
  std::optional<adapters::ChangedBase> loftq_base;     ///< of LoftQ, where it is one of its own
  std::optional<adapters::Relora> relora;

  std::int64_t parameter_count() const;
  /// Everything that steps change but the optimizer's own: the parameters and what goes with them.
  std::vector<std::pair<std::string, torch::Tensor>> state() const;
  /// Adds the gradient of the method's own term of the loss, once a step.
  /// @param scale that the gradient is multiplied by
  /// @return the term
  double backward_of_penalty(double scale) const;
};

/// What a run says of the training that begins.
struct TrainingStart {
  std::vector<std::int64_t> added_ids;  ///< tokens that were added to the base: they are trained
  std::int64_t total_steps = 0;
  std::uint64_t seed = 0;
  std::filesystem::path base = {};              ///< the model's files, which LoftQ reads again
  const adapters::EvaStart* eva = nullptr;      ///< where the adapter begins so
  torch::Dtype master_dtype = torch::kFloat32;  ///< of the model's own weights; adapters' are fp32
};

/// Makes the masters and puts them into the model.
/// @throws ConfigError where the options and the adapter of `init_from` contradict each other, or
///         where the method does not train the added tokens
Trainable make_trainable(model::Decoder& decoder, const adapters::AdapterOptions& options,
                         const config::Given& given, const TrainingStart& start);

/// Writes the product: `adapter/` in PEFT's format, or `model/` in Hugging Face's. After restarts
/// that is the model with everything merged. Where LoftQ made a base of its own, `loftq_base/` has
/// it, dequantised, and the adapter names it.
/// @param text its tokenizer is saved along where it is not the base's own
/// @param origin see Session::origin()
/// @return the folder
std::filesystem::path save_product(const Trainable& trainable, model::Decoder& decoder,
                                   const std::filesystem::path& run_folder,
                                   const std::filesystem::path& base, const Text& text,
                                   const nlohmann::json& origin);

/// The rope that an adapter's base had while it was trained, where that was not the base's own
/// (model.rope_scaling), as save_product() records it; else options that change nothing.
model::RopeScalingOptions rope_of_adapter(const std::filesystem::path& adapter);

}  // namespace hone::engine
