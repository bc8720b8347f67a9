#include "engine/trainable.h"

#include "base/error.h"
#include "base/log.h"
#include "checkpoint/folder_writer.h"
#include "checkpoint/manifest.h"
#include "engine/load_options.h"
#include "model/load.h"
#include "model/rope_config.h"
#include "model/weights.h"

namespace hone::engine {
namespace {

using adapters::AdapterOptions;

/// An adapter that is gone on from keeps its own shape; the config may repeat it, not change it.
void check_agrees(const AdapterOptions& loaded, const AdapterOptions& options,
                  const config::Given& given) {
  const auto check = [&](const char* key, const auto& own, const auto& asked) {
    HONE_CHECK(
        ConfigError, given.count(std::string("adapter.") + key) == 0 || own == asked,
        "adapter.{}: the config says {}, the adapter in init_from ({}) has {}; leave the key "
        "out to take the adapter's",
        key, asked, options.init_from, own);
  };
  check("r", loaded.r, options.r);
  check("lora_alpha", loaded.lora_alpha, options.lora_alpha);
  check("use_rslora", loaded.use_rslora, options.use_rslora);
}

adapters::Lora start_lora(model::Decoder& decoder, const AdapterOptions& options,
                          const config::Given& given, std::uint64_t seed) {
  if (options.init_from.empty()) return adapters::init_lora(decoder, options, seed);
  adapters::Lora lora = adapters::load_lora(options.init_from, decoder);
  check_agrees(lora.options, options, given);
  lora.options.lora_dropout = options.lora_dropout;
  return lora;
}

/// Where an adapter's manifest says which rope its base had, if not its own.
constexpr const char* kRopeRecord = "rope_parameters";

}  // namespace

std::int64_t Trainable::parameter_count() const {
  std::int64_t count = 0;
  for (const optim::Parameter& parameter : parameters) count += parameter.tensor.numel();
  return count;
}

Trainable make_trainable(model::Decoder& decoder, const AdapterOptions& options,
                         const config::Given& given, std::uint64_t seed) {
  Trainable trainable;
  trainable.dropout = std::make_shared<adapters::DropoutState>();
  trainable.dropout->seed = seed;
  if (options.trains_adapter()) {
    trainable.lora = start_lora(decoder, options, given, seed);
    for (adapters::LoraLayer& layer : trainable.lora->layers) {
      layer.a.requires_grad_();
      layer.b.requires_grad_();
      trainable.parameters.push_back({layer.module + ".lora_A.weight", layer.a});
      trainable.parameters.push_back({layer.module + ".lora_B.weight", layer.b});
    }
    adapters::attach(*trainable.lora, decoder, trainable.dropout);
    return trainable;
  }
  for (const model::WeightSlot& slot : model::weight_slots(decoder)) {
    *slot.tensor = slot.tensor->to(torch::kFloat32).clone().requires_grad_();
    trainable.parameters.push_back({slot.name, *slot.tensor, optim::takes_weight_decay(slot.name)});
  }
  model::tie_head(decoder);
  return trainable;
}

std::filesystem::path save_product(const Trainable& trainable, model::Decoder& decoder,
                                   const std::filesystem::path& run_folder,
                                   const std::filesystem::path& base) {
  const bool adapter = trainable.lora.has_value();
  const std::filesystem::path destination = run_folder / (adapter ? "adapter" : "model");
  checkpoint::FolderWriter writer(destination);
  if (adapter) {
    adapters::save_lora(*trainable.lora, writer.folder(), base.string());
  } else {
    model::save_decoder(decoder, writer.folder(), base, decoder.compute_dtype);
  }
  nlohmann::json about = {{"base", base.string()}, {"base_weights", kept_as(decoder)}};
  if (decoder.spec.rope_is_overridden) {
    about[kRopeRecord] = model::rope_parameters(decoder.spec.ropes.front());
    if (adapter)
      log::warn("{}: serve it on a base whose config.json has \"rope_parameters\": {}",
                destination.string(), about[kRopeRecord].dump());
  }
  writer.commit(adapter ? "adapter" : "model", about);
  return destination;
}

model::RopeScalingOptions rope_of_adapter(const std::filesystem::path& adapter) {
  if (!std::filesystem::exists(adapter / checkpoint::kManifestName)) return {};
  const nlohmann::json about = checkpoint::read_manifest(adapter).about;
  if (!about.contains(kRopeRecord)) return {};
  log::info("rope    {}, as the adapter was trained with", about[kRopeRecord].dump());
  return model::rope_options_from(about[kRopeRecord],
                                  (adapter / checkpoint::kManifestName).string());
}

}  // namespace hone::engine
