#include "engine/trainable.h"

#include <set>

#include "adapters/loftq.h"
#include "adapters/merge.h"
#include "adapters/partial.h"
#include "adapters/vocabulary.h"
#include "base/error.h"
#include "base/log.h"
#include "checkpoint/folder_writer.h"
#include "checkpoint/manifest.h"
#include "engine/lineage.h"
#include "engine/load_options.h"
#include "engine/rope_record.h"
#include "model/load.h"
#include "model/rope_config.h"
#include "model/stored_weights.h"
#include "model/weights.h"
#include "tokenizer/tokenizer_save.h"

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

/// What PEFT drops while it trains and hone does not. An adapter that was trained so can be used
/// and merged; to train it on without would be another training than it looks.
void check_trains_alike(const adapters::Adapter& loaded, const std::string& folder) {
  for (const adapters::ConfigKey& key : loaded.method->keys)
    HONE_CHECK(
        ConfigError, !key.only_training || !loaded.settings.says(key.key),
        "adapter.init_from: {} is trained with {} = {}, which hone does not do; set it to 0 in "
        "its adapter_config.json where it is to be trained on without",
        folder, key.key, loaded.settings.values().at(key.key).dump());
  HONE_CHECK(ConfigError, !loaded.settings.get("prefix_projection", false),
             "adapter.init_from: {} holds the prefix that a projection made, not the projection, "
             "so its training cannot go on (nor can PEFT's); start anew, or set prefix_projection "
             "to false in its adapter_config.json to train the prefix itself",
             folder);
}

adapters::Adapter start_adapter(model::Decoder& decoder, const AdapterOptions& options,
                                const config::Given& given, const TrainingStart& start) {
  if (options.init_from.empty()) {
    const adapters::Method& method = *adapters::find_method(options.method);
    adapters::Settings settings = adapters::settings_of(options);
    adapters::train_added_rows(method, decoder.spec, start.added_ids, settings);
    if (start.eva != nullptr)
      return adapters::make_eva_adapter(decoder, method, std::move(settings), start.seed,
                                        *start.eva);
    return adapters::make_adapter(decoder, method, std::move(settings), start.seed);
  }
  adapters::Adapter adapter = adapters::load_adapter(options.init_from, decoder);
  HONE_CHECK(
      ConfigError,
      adapter.method->peft_type == std::string(adapters::find_method(options.method)->peft_type),
      "adapter.method: the config says {}, the adapter in init_from ({}) is one of {}",
      options.method, options.init_from, adapter.method->name);
  check_trains_alike(adapter, options.init_from);
  check_agrees(adapter, options, given);
  return adapter;
}

/// Where weights of the model itself are trained, those of added tokens have to be among them.
void check_added_are_trained(const model::Spec& spec, const std::set<std::string>& chosen,
                             const std::string& method) {
  const bool own_head = spec.num_labels == 0 && !spec.tie_word_embeddings;
  HONE_CHECK(ConfigError,
             chosen.count("model.embed_tokens.weight") > 0 &&
                 (!own_head || chosen.count("lm_head.weight") > 0),
             "adapter.method {} would leave the added tokens' rows of embed_tokens and lm_head as "
             "they begin; name both in adapter.target_modules of method partial, or take full",
             method);
}

/// The model with what is left of ReLoRA's update in it.
void merge_into(model::Decoder& decoder, adapters::Adapter adapter) {
  adapters::detach(adapter, decoder);
  adapters::merge(adapter, decoder);
}

/// The base that LoftQ made for the adapter: the numbers that training computed with.
std::filesystem::path save_base(const Trainable& trainable, model::Decoder& decoder,
                                const std::filesystem::path& run_folder,
                                const std::filesystem::path& base, const nlohmann::json& about) {
  adapters::Adapter adapter = *trainable.adapter;
  adapters::detach(adapter, decoder);
  const std::filesystem::path destination = run_folder / "loftq_base";
  checkpoint::FolderWriter writer(destination);
  model::save_decoder(decoder, writer.folder(), base, decoder.compute_dtype);
  writer.commit("model", about);
  adapters::attach(adapter, decoder, trainable.dropout);
  log::info("saved   {}, which LoftQ made: the adapter belongs on it", destination.string());
  return destination;
}

}  // namespace

std::int64_t Trainable::parameter_count() const {
  std::int64_t count = 0;
  for (const optim::Parameter& parameter : parameters) count += optim::whole_numel(parameter);
  return count;
}

std::vector<std::pair<std::string, torch::Tensor>> Trainable::state() const {
  std::vector<std::pair<std::string, torch::Tensor>> state;
  for (const optim::Parameter& parameter : parameters)
    state.emplace_back(parameter.name, parameter.tensor);
  if (allocation)
    for (const adapters::NamedTensor& named : allocation->state())
      state.emplace_back(named.name, named.tensor);
  if (loftq_base)
    for (const adapters::NamedTensor& named : loftq_base->state())
      state.emplace_back(named.name, named.tensor);
  if (relora)
    for (const adapters::NamedTensor& named : relora->state())
      state.emplace_back(named.name, named.tensor);
  return state;
}

double Trainable::backward_of_penalty(double scale) const {
  const torch::Tensor penalty = adapter ? adapter->penalty() : torch::Tensor();
  if (!penalty.defined()) return 0;
  (scale == 1 ? penalty : penalty * scale).backward();
  return penalty.item<double>();
}

Trainable make_trainable(model::Decoder& decoder, const AdapterOptions& options,
                         const config::Given& given, const TrainingStart& start) {
  Trainable trainable;
  trainable.dropout = std::make_shared<adapters::DropoutState>();
  trainable.dropout->seed = start.seed;
  if (options.trains_adapter()) {
    trainable.adapter = start_adapter(decoder, options, given, start);
    for (const adapters::NamedTensor& named : trainable.adapter->state()) {
      if (!named.is_trained) continue;
      torch::Tensor leaf = named.tensor;
      leaf.requires_grad_();
      trainable.parameters.push_back({named.name, leaf, optim::takes_weight_decay(named.name)});
    }
    if (options.init_lora_weights == "loftq" && options.init_from.empty())
      trainable.loftq_base = adapters::begin_by_loftq(
          *trainable.adapter, decoder, model::StoredWeights(start.base), options.loftq_iter);
    if (adapters::allocates_ranks(*trainable.adapter))
      trainable.allocation.emplace(*trainable.adapter, start.total_steps);
    if (options.relora_steps > 0)
      trainable.relora.emplace(*trainable.adapter, decoder, options, start.seed);
    adapters::attach(*trainable.adapter, decoder, trainable.dropout);
    return trainable;
  }
  const bool some = adapters::trains_some_weights(options.method);
  const std::set<std::string> chosen =
      some ? adapters::weights_to_train(decoder, options) : std::set<std::string>();
  if (some && !start.added_ids.empty())
    check_added_are_trained(decoder.spec, chosen, options.method);
  for (const model::WeightSlot& slot : model::weight_slots(decoder)) {
    if (some && chosen.count(slot.name) == 0) continue;
    HONE_CHECK(ConfigError, slot.linear == nullptr || slot.linear->packed == nullptr,
               "{}: is packed in the model's own files, and a quantised weight cannot be trained; "
               "take adapter.method: lora (QLoRA), or the model as it was before",
               slot.name);
    *slot.tensor = slot.tensor->to(start.master_dtype).clone().requires_grad_();
    trainable.parameters.push_back({slot.name, *slot.tensor, optim::takes_weight_decay(slot.name)});
  }
  model::tie_head(decoder);
  return trainable;
}

std::filesystem::path save_product(const Trainable& trainable, model::Decoder& decoder,
                                   const std::filesystem::path& run_folder,
                                   const std::filesystem::path& base, const Text& text,
                                   const nlohmann::json& origin) {
  if (trainable.relora) merge_into(decoder, *trainable.adapter);
  const bool adapter = trainable.adapter.has_value() && !trainable.relora;
  const std::filesystem::path destination = run_folder / (adapter ? "adapter" : "model");
  nlohmann::json about = {
      {"base", base.string()}, {"base_weights", kept_as(decoder)}, {kLineageKey, origin}};
  checkpoint::FolderWriter writer(destination);
  if (adapter) {
    const auto& allocation = trainable.allocation;
    const std::filesystem::path served_on =
        trainable.loftq_base ? save_base(trainable, decoder, run_folder, base, about) : base;
    adapters::save_adapter(allocation ? allocation->kept(*trainable.adapter) : *trainable.adapter,
                           writer.folder(), served_on.string());
  } else {
    model::save_decoder(decoder, writer.folder(), base, decoder.compute_dtype);
  }
  if (text.tokenizer && (text.source != base || !text.added.empty()))
    tokenizer::save_tokenizer(*text.tokenizer, text.source, writer.folder());
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
