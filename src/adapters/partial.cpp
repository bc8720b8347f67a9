#include "adapters/partial.h"

#include <algorithm>

#include "adapters/methods/keys.h"
#include "adapters/targets.h"
#include "base/error.h"
#include "model/weights.h"

namespace hone::adapters {
namespace {

constexpr const char* kBiases = "bitfit";
constexpr const char* kModules = "partial";

/// Modules of every kind, chosen as an adapter's are.
const Method& any_module() {
  static const Method method = [] {
    Method any;
    any.name = kModules;
    any.keys = target_keys();
    std::erase_if(any.keys, [](const ConfigKey& key) {
      return std::string_view(key.key) == "modules_to_save";
    });
    any.kinds = {SiteKind::kLinear, SiteKind::kHead, SiteKind::kEmbedding, SiteKind::kNorm,
                 SiteKind::kRouter};
    return any;
  }();
  return method;
}

}  // namespace

bool trains_some_weights(const std::string& method) {
  return method == kBiases || method == kModules;
}

bool partial_reads(const std::string& method, std::string_view option) {
  const auto& keys = any_module().keys;
  return method == kModules && std::any_of(keys.begin(), keys.end(), [&](const ConfigKey& key) {
           return option == key.option;
         });
}

std::set<std::string> weights_to_train(model::Decoder& decoder, const AdapterOptions& options) {
  std::set<std::string> chosen, names;
  if (options.method == kModules)
    for (const Site& site :
         choose_sites(any_module(), settings_of(any_module(), options), sites_of(decoder)))
      chosen.insert(site.name);
  // A tied head is the embedding.
  if (chosen.count("lm_head") > 0 && decoder.spec.tie_word_embeddings)
    chosen.insert("model.embed_tokens");
  for (const model::WeightSlot& slot : model::weight_slots(decoder)) {
    const bool taken = options.method == kBiases
                           ? slot.name.ends_with(".bias")
                           : chosen.count(slot.name.substr(0, slot.name.rfind('.'))) > 0;
    if (taken) names.insert(slot.name);
  }
  HONE_CHECK(ConfigError, !names.empty(), "adapter.method {}: this model has no biases",
             options.method);
  return names;
}

}  // namespace hone::adapters
