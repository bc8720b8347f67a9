#pragma once

#include <optional>
#include <string>
#include <vector>

#include "adapters/fold.h"
#include "export/target.h"

namespace hone::exporting {

/// How what a target cannot take is dealt with.
struct Remedies {
  bool merge = false;     ///< into the weights, also where the target would take the adapter
  bool svd = false;       ///< a plain LoRA near it, where that helps
  std::int64_t rank = 0;  ///< of that; 0: as plain_lora_near() chooses
};

/// An adapter, made fit for a target.
struct Prepared {
  std::optional<adapters::Adapter> adapter;  ///< none: the decoder has it merged
  std::vector<std::string> notes;            ///< what was done, one sentence each
  std::vector<adapters::Nearness> svd_errors;
};

/// Folds, approximates or merges an adapter as a target's rules and the remedies say.
/// @param decoder the base, with nothing attached; merged into where the result has no adapter
/// @throws ConfigError naming together every rule that the adapter breaks and what to do
Prepared prepare(const Target& target, adapters::Adapter adapter, model::Decoder& decoder,
                 const Remedies& remedies);

/// What a run has to know of the server that it is meant for, before it trains: a sentence for each
/// rule that an adapter of these facts breaks and that no folding mends.
std::vector<std::string> serving_warnings(const Target& target, const Facts& facts);

}  // namespace hone::exporting
