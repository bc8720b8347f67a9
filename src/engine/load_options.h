#pragma once

#include <string>

#include "engine/device.h"
#include "engine/options.h"
#include "model/load.h"

namespace hone::engine {

/// How a config's model is loaded onto a placement.
model::LoadOptions load_options(const ModelOptions& options, const Placement& placement);

/// What the classes of a model's weights are kept in, and how much memory each takes:
/// "210 layers nf4 in blocks of 64, scales packed again, 54.8 MB; all else bf16, 56.7 MB".
std::string kept_as(model::Decoder& decoder);

}  // namespace hone::engine
