#pragma once

#include <set>
#include <string>

#include "adapters/options.h"
#include "model/decoder.h"

namespace hone::adapters {

/// The methods that train some of the model's own weights and no adapter: `bitfit` its biases
/// (arXiv:2106.10199), `partial` the modules of target_modules and layers_to_transform.
bool trains_some_weights(const std::string& method);

/// The names of those weights, as the model's files have them.
/// @throws ConfigError where there are none: what is named does not exist, or the model has no bias
std::set<std::string> weights_to_train(model::Decoder& decoder, const AdapterOptions& options);

/// True where such a method reads an option of section `adapter`.
bool partial_reads(const std::string& method, std::string_view option);

}  // namespace hone::adapters
