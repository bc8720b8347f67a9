#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "adapters/method.h"
#include "adapters/options.h"
#include "model/decoder.h"

namespace hone::adapters {

/// The files of a PEFT folder.
inline constexpr const char* kConfigFile = "adapter_config.json";
inline constexpr const char* kWeightsFile = "adapter_model.safetensors";

/// A module and what the method keeps for it.
struct AdaptedModule {
  Site site;
  Tensors tensors;
  Tensors taken_over;  ///< the part of the base that it began with (initial.h); mostly empty
};

/// A weight or bias of the base that another tensor stands in for.
struct Replacement {
  std::string weight;     ///< as the model's files name it
  std::string file_name;  ///< as PEFT's do, behind its prefix; empty: it is not saved
  Tensor tensor;
  bool is_trained = true;
  Tensor original;  ///< what it stands in for, while the adapter is attached
};

/// Rows of the embedding or the head that are trained.
struct TokenRows {
  std::string module;  ///< model.embed_tokens or lm_head
  std::vector<std::int64_t> ids;
  Tensor rows;  ///< [ids, H] f32
  std::string file_name;
};

/// One of an adapter's tensors, under PEFT's name for it.
struct NamedTensor {
  std::string name;
  Tensor tensor;
  bool is_trained = true;
};

/// What is trained on a frozen base, whatever its method: tensors with names, f32.
struct Adapter {
  const Method* method = nullptr;
  Settings settings;
  std::vector<AdaptedModule> modules;
  Tensors shared;           ///< what the modules have together
  Tensors virtual_tensors;  ///< of virtual tokens
  std::vector<Replacement> replaced;
  std::vector<TokenRows> token_rows;
  std::string base_fingerprint;  ///< of the model that it was made or loaded for
  std::int64_t base_rows = 0;    ///< of that model's vocabulary, before tokens were added

  /// Everything that training, checkpoints and optimizers see, in the model's order.
  std::vector<NamedTensor> state() const;
  /// What a PEFT folder holds: the state, or what it makes (p-tuning's embeddings).
  std::vector<NamedTensor> exported() const;
  std::int64_t parameter_count() const;
  /// True where it began with a part of the base: it is saved as as_plain_lora() makes it.
  bool took_over_directions() const;
  /// A term of the training loss; undefined where the method has none.
  Tensor penalty() const;
};

/// A fresh adapter, which leaves the model as its base. Its numbers are a function of seed and
/// module; that of a model without numbers (model::outline_of) has none.
/// @throws ConfigError where the options do not fit the model: targets that there are not, ranks
///         above a matrix's own, sizes that do not divide
Adapter make_adapter(model::Decoder& decoder, const AdapterOptions& options, std::uint64_t seed);

/// The same for settings. @throws ConfigError
Adapter make_adapter(model::Decoder& decoder, const Method& method, Settings settings,
                     std::uint64_t seed);

/// The first numbers of one module's tensors, as make_adapter gives them.
/// @param base the module's weight, f32
Tensors first_numbers(const Method& method, const Settings& settings, const Site& site,
                      std::uint64_t seed, const std::function<Tensor()>& base,
                      torch::Device device = torch::kCPU);

/// Puts the adapter onto the model; from then on the model computes with it. They share tensors.
/// Dropout reads `dropout_state` at each forward pass.
/// @pre nothing else is attached to the same modules
void attach(Adapter& adapter, model::Decoder& decoder,
            std::shared_ptr<const DropoutState> dropout_state = nullptr);

/// Takes it off again: the model is its base.
void detach(Adapter& adapter, model::Decoder& decoder);

/// Writes a PEFT folder (adapter_config.json, adapter_model.safetensors), whole or not at all.
/// @param base what adapter_config.json names as the base model
void save_adapter(const Adapter& adapter, const std::filesystem::path& folder,
                  const std::string& base);

/// Reads a PEFT folder for this model.
/// @throws DataError naming together what PEFT allows and hone does not, tensors that are missing,
///         not expected or of another shape; or where the adapter was trained on another base
Adapter load_adapter(const std::filesystem::path& folder, model::Decoder& decoder);

}  // namespace hone::adapters
