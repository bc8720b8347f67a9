#pragma once

#include "model/config_reader.h"
#include "model/rope_options.h"
#include "model/spec.h"

namespace hone::model {

/// Fills spec.ropes from a config.json, in transformers 4's or 5's spelling, and says in
/// spec.layers which layer turns by which. @throws DataError
void read_ropes(const ConfigReader& config, Spec& spec);

/// Puts what the user asks for in the place of the first rope's scaling: the one of the layers that
/// see the whole document. @throws DataError naming the key where it cannot be, as read_ropes()
void override_rope(const RopeScalingOptions& options, Spec& spec);

/// A rope as transformers 5's `rope_parameters` has it.
nlohmann::ordered_json rope_parameters(const Rope& rope);

/// Puts the first rope into a config.json, in the spelling that it has: `rope_parameters`, or
/// `rope_theta` and `rope_scaling`, which transformers 4 and 5 both read.
void write_rope(const Spec& spec, nlohmann::ordered_json& config);

}  // namespace hone::model
