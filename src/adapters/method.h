#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "adapters/dropout.h"
#include "adapters/settings.h"
#include "adapters/site.h"
#include "adapters/start.h"

namespace hone::adapters {

/// A key of a method's adapter_config.json.
struct ConfigKey {
  const char* key;
  nlohmann::json preset;  ///< PEFT's default
  /// The option of section `adapter` that sets it. Null: none does, and hone computes with the
  /// preset only; a folder that says otherwise is refused, unless `is_free`.
  const char* option = nullptr;
  bool is_free = false;  ///< changes nothing that hone computes
  bool only_training =
      false;  ///< free, but training on from another value would be another training
};

/// A tensor of an adapter, before it is made.
struct TensorSpec {
  std::string name;  ///< behind the module's in PEFT's files: "lora_A.weight"
  std::vector<std::int64_t> shape;
  Start start;
  bool is_trained = true;
};

/// The shape of one of a file's tensors, by its name behind PEFT's prefix; empty: it is not there.
using StoredShape = std::function<std::vector<std::int64_t>(const std::string& name)>;

/// Tensors by the names of their specs.
using Tensors = std::map<std::string, Tensor>;

/// An adapted module, as its method sees it.
struct Place {
  const Site& site;
  const Settings& settings;
  const Tensors& own;
  const Tensors& shared;  ///< what all modules have together
  Dropping dropping;
};

/// One way to adapt a model: one row of the table. Everything else (which modules, saving, loading,
/// optimizers, checkpoints, merging) is the same for all.
struct Method {
  const char* name;       ///< `adapter.method`
  const char* peft_type;  ///< in adapter_config.json
  const char* help;
  std::vector<ConfigKey> keys;
  std::vector<SiteKind> kinds;  ///< which modules it can sit on
  /// Set: it trains copies of the modules' weights in their place, under this name in files.
  const char* replaces_weight = nullptr;
  /// Set: it trains rows of the embedding, under this name in files; `token_indices` says which.
  const char* token_rows = nullptr;
  /// What it keeps for each module.
  std::vector<TensorSpec> (*tensors)(const Site& site, const Settings& settings) = nullptr;
  /// What its modules share; null: nothing.
  std::vector<TensorSpec> (*shared)(const std::vector<Site>& sites,
                                    const Settings& settings) = nullptr;
  std::shared_ptr<const model::LinearAdapter> (*linear)(const Place& place) = nullptr;
  std::shared_ptr<const model::EmbeddingAdapter> (*embedding)(const Place& place) = nullptr;
  /// Virtual tokens: what it keeps, what it makes of that, and what it saves of it.
  std::vector<TensorSpec> (*virtual_tensors)(const model::Decoder& decoder,
                                             const Settings& settings) = nullptr;
  std::shared_ptr<const model::VirtualTokens> (*virtual_tokens)(const model::Decoder& decoder,
                                                                const Settings& settings,
                                                                const Tensors& tensors,
                                                                const Dropping& dropping) = nullptr;
  Tensors (*exported)(const Settings& settings, const Tensors& tensors) = nullptr;
  /// Completes what the config says of the model; null: nothing.
  void (*describe)(const model::Decoder& decoder, Settings& settings) = nullptr;
  /// Corrects what the config says by what its file holds; null: the config is to be believed.
  void (*complete_from_file)(const StoredShape& shape_of, const std::vector<Site>& sites,
                             Settings& settings) = nullptr;
  /// A term of the training loss; null: none.
  Tensor (*penalty)(const Settings& settings, const std::vector<const Tensors*>& layers) = nullptr;
};

/// All methods. @return nullptr where there is none of that name
const std::vector<Method>& methods();
const Method* find_method(const std::string& name);
const Method* find_peft_type(const std::string& peft_type);

}  // namespace hone::adapters
