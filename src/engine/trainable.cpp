#include "engine/trainable.h"

#include <set>

#include "adapters/partial.h"
#include "base/error.h"
#include "base/log.h"
#include "checkpoint/folder_writer.h"
#include "checkpoint/manifest.h"
#include "engine/lineage.h"
#include "engine/load_options.h"
#include "model/load.h"
#include "model/rope_config.h"
#include "model/weights.h"

namespace hone::engine {
namespace {

using adapters::AdapterOptions;

/// An adapter that is gone on from keeps its own shape; the config may repeat it, not change it.
/// What only training knows (dropout) is the config's.
void check_agrees(adapters::Adapter& loaded, const AdapterOptions& options,
                  const config::Given& given) {
  const adapters::Settings asked = adapters::settings_of(options);
  for (const adapters::ConfigKey& key : loaded.method->keys) {
    if (key.option == nullptr || given.count(std::string("adapter.") + key.option) == 0) continue;
    const auto &own = loaded.settings.values().at(key.key), &said = asked.values().at(key.key);
    if (std::string(key.option) == "lora_dropout") {
      loaded.settings.set(key.key, said);
    } else if (std::string(key.option) != "target_modules") {
      HONE_CHECK(ConfigError, own == said,
                 "adapter.{}: the config says {}, the adapter in init_from ({}) has {}; leave the "
                 "key out to take the adapter's",
                 key.option, said.dump(), options.init_from, own.dump());
    }
  }
}

adapters::Adapter start_adapter(model::Decoder& decoder, const AdapterOptions& options,
                                const config::Given& given, std::uint64_t seed) {
  if (options.init_from.empty()) return adapters::make_adapter(decoder, options, seed);
  adapters::Adapter adapter = adapters::load_adapter(options.init_from, decoder);
  HONE_CHECK(
      ConfigError,
      adapter.method->peft_type == std::string(adapters::find_method(options.method)->peft_type),
      "adapter.method: the config says {}, the adapter in init_from ({}) is one of {}",
      options.method, options.init_from, adapter.method->name);
  check_agrees(adapter, options, given);
  return adapter;
}

/// Where an adapter's manifest says which rope its base had, if not its own.
constexpr const char* kRopeRecord = "rope_parameters";

}  // namespace

std::int64_t Trainable::parameter_count() const {
  std::int64_t count = 0;
  for (const optim::Parameter& parameter : parameters) count += parameter.tensor.numel();
  return count;
}

double Trainable::backward_of_penalty() const {
  const torch::Tensor penalty = adapter ? adapter->penalty() : torch::Tensor();
  if (!penalty.defined()) return 0;
  penalty.backward();
  return penalty.item<double>();
}

Trainable make_trainable(model::Decoder& decoder, const AdapterOptions& options,
                         const config::Given& given, std::uint64_t seed) {
  Trainable trainable;
  trainable.dropout = std::make_shared<adapters::DropoutState>();
  trainable.dropout->seed = seed;
  if (options.trains_adapter()) {
    trainable.adapter = start_adapter(decoder, options, given, seed);
    for (const adapters::NamedTensor& named : trainable.adapter->state()) {
      if (!named.is_trained) continue;
      torch::Tensor leaf = named.tensor;
      leaf.requires_grad_();
      trainable.parameters.push_back({named.name, leaf, optim::takes_weight_decay(named.name)});
    }
    adapters::attach(*trainable.adapter, decoder, trainable.dropout);
    return trainable;
  }
  const bool some = adapters::trains_some_weights(options.method);
  const std::set<std::string> chosen =
      some ? adapters::weights_to_train(decoder, options) : std::set<std::string>();
  for (const model::WeightSlot& slot : model::weight_slots(decoder)) {
    if (some && chosen.count(slot.name) == 0) continue;
    *slot.tensor = slot.tensor->to(torch::kFloat32).clone().requires_grad_();
    trainable.parameters.push_back({slot.name, *slot.tensor, optim::takes_weight_decay(slot.name)});
  }
  model::tie_head(decoder);
  return trainable;
}

std::filesystem::path save_product(const Trainable& trainable, model::Decoder& decoder,
                                   const std::filesystem::path& run_folder,
                                   const std::filesystem::path& base,
                                   const nlohmann::json& origin) {
  const bool adapter = trainable.adapter.has_value();
  const std::filesystem::path destination = run_folder / (adapter ? "adapter" : "model");
  checkpoint::FolderWriter writer(destination);
  if (adapter) {
    adapters::save_adapter(*trainable.adapter, writer.folder(), base.string());
  } else {
    model::save_decoder(decoder, writer.folder(), base, decoder.compute_dtype);
  }
  nlohmann::json about = {
      {"base", base.string()}, {"base_weights", kept_as(decoder)}, {kLineageKey, origin}};
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
