#include "adapters/vocabulary.h"

#include <algorithm>
#include <set>

#include "adapters/adapter.h"
#include "adapters/pattern.h"
#include "base/error.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace hone::adapters {
namespace {

using nlohmann::json;
using Ids = std::vector<std::int64_t>;

/// What PEFT calls an embedding or a head that it saves whole.
constexpr const char* kWhole[] = {"embed_tokens.weight", "embed_tokens.base_layer.weight",
                                  "embed_tokens.token_adapter.base_layer.weight", "lm_head.weight",
                                  "lm_head.base_layer.weight"};

/// Numbers anywhere in a list or an object of lists.
void collect(const json& value, std::set<std::int64_t>& ids) {
  if (value.is_number_integer()) ids.insert(value.get<std::int64_t>());
  if (value.is_structured())
    for (const json& item : value) collect(item, ids);
}

bool saves(const Settings& settings, const char* module) {
  const std::vector<std::string> names = settings.texts("modules_to_save");
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return is_suffix(name, module); });
}

Ids merged(Ids ids, const Ids& more) {
  for (const std::int64_t id : more)
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  return ids;
}

}  // namespace

std::int64_t vocab_size_for(const std::filesystem::path& folder, std::int64_t base_rows) {
  // What is missing load_adapter tells.
  for (const char* name : {kConfigFile, kWeightsFile})
    if (!std::filesystem::exists(folder / name)) return base_rows;
  const io::SafetensorsFile file(folder / kWeightsFile);
  std::int64_t rows = base_rows;
  for (const io::TensorView& view : file.tensors())
    for (const char* name : kWhole)
      if (is_suffix(name, view.name) && view.shape.size() == 2)
        rows = std::max(rows, view.shape[0]);
  const json config = io::read_json(folder / kConfigFile);
  std::set<std::int64_t> ids;
  for (const char* key : {"trainable_token_indices", "token_indices"})
    collect(config.value(key, json()), ids);
  while (ids.count(rows) > 0) ++rows;
  return rows;
}

void train_added_rows(const Method& method, const model::Spec& spec, const Ids& added,
                      Settings& settings) {
  if (added.empty()) return;
  const bool has_head = spec.num_labels == 0;
  if (saves(settings, "model.embed_tokens")) {
    HONE_CHECK(ConfigError, !has_head || saves(settings, "lm_head"),
               "{}: modules_to_save trains the added tokens' rows of embed_tokens and not of "
               "lm_head, which could then never be said; name both",
               settings.where());
    return;
  }
  const bool own = method.token_rows != nullptr;
  const char* key = own ? "token_indices" : "trainable_token_indices";
  const bool reads = std::any_of(method.keys.begin(), method.keys.end(), [&](const ConfigKey& one) {
    return one.key == std::string(key) && one.option != nullptr;
  });
  HONE_CHECK(
      ConfigError, reads,
      "adapter.method {} cannot train single rows of the embedding, and nothing else would "
      "train the added tokens'; add adapter.modules_to_save: [embed_tokens, lm_head], or take "
      "lora or trainable_tokens",
      method.name);
  const Ids all = merged(settings.integers(key), added);
  settings.set(key, all);
  if (!has_head || spec.tie_word_embeddings) return;
  if (own)
    settings.set("target_modules", {"embed_tokens", "lm_head"});
  else
    settings.set(key, {{"embed_tokens", all}, {"lm_head", added}});
}

}  // namespace hone::adapters
