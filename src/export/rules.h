#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/adapter.h"
#include "adapters/options.h"

namespace hone::exporting {

/// What servers ask of an adapter.
struct Facts {
  std::string peft_type = "LORA";
  std::vector<std::int64_t> ranks;  ///< those that its modules have, rising, each once
  bool use_dora = false;
  bool use_rslora = false;
  bool has_patterns = false;      ///< rank_pattern or alpha_pattern says something
  bool trains_biases = false;     ///< `bias` is not none
  bool has_lora_bias = false;     ///< `lora_bias`: B has a bias
  bool trains_experts = false;    ///< matrices of a mixture of experts (target_parameters)
  bool covers_all_layers = true;  ///< each kind of module that is adapted is so in every layer
  bool adapts_embedding = false;
  bool adapts_head = false;
  bool trains_tokens = false;  ///< single rows of the embedding: trainable_token_indices
  bool brings_tokens = false;  ///< the vocabulary is larger than the base's
  std::vector<std::string> modules_to_save;
};

/// What a run of these options will make, as far as can be told before it.
Facts facts_of(const adapters::AdapterOptions& options);
Facts facts_of(const adapters::Adapter& adapter, model::Decoder& decoder);

/// What becomes of something that a target cannot take.
enum class Handling {
  kFold,        ///< the exporter writes it another way that computes the same
  kSvdOrMerge,  ///< a plain LoRA of higher rank comes near it; a merged model holds it
  kMerge,       ///< only a merged model holds it
};

/// One thing that a target cannot take.
struct Rule {
  bool (*applies)(const Facts& facts);
  Handling handling;
  std::string_view key;           ///< of section `adapter` of a config, as a message names it
  std::string_view reason;        ///< what the server does with it
  std::string_view remedy;        ///< what to do, in a config or at the export
  std::string_view source;        ///< of the server's own files
  bool needs_all_layers = false;  ///< folding fills the layers that an adapter leaves out
};

/// The rules that the facts break, in their order.
/// None where weights of the model itself are trained: `peft_type` is empty then.
std::vector<const Rule*> findings(std::span<const Rule> rules, const Facts& facts);

/// "adapter.use_dora: reason (source). Remedy".
std::string describe(const Rule& rule);

}  // namespace hone::exporting
