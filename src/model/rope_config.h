#pragma once

#include "model/config_reader.h"
#include "model/spec.h"

namespace hone::model {

/// Fills spec.ropes from a config.json, in transformers 4's or 5's spelling, and says in
/// spec.layers which layer turns by which. @throws DataError
void read_ropes(const ConfigReader& config, Spec& spec);

/// The keys that read_ropes() reads, in the spelling that transformers 4 and 5 both take. One rope
/// only.
void write_rope(const Spec& spec, nlohmann::ordered_json& config);

}  // namespace hone::model
