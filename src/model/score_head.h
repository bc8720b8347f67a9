#pragma once

#include <nlohmann/json_fwd.hpp>

#include "model/decoder.h"

namespace hone::model {

/// Puts a head `score` of fresh numbers in the place of a language model's: a reward model that
/// knows nothing yet. A model that has such a head keeps it.
/// The numbers are normal with a deviation of 0.02, as transformers begins a head
/// (`initializer_range`), and a function of the seed alone.
/// @throws ConfigError where the model's own head has another number of outputs
void add_score_head(Decoder& decoder, std::int64_t num_labels, std::uint64_t seed);

/// Says in a config.json that the model has its head `score`, as transformers' classes for
/// sequence classification do; a config that says so already stays as it is.
void write_score_head(const Spec& spec, nlohmann::ordered_json& config);

}  // namespace hone::model
