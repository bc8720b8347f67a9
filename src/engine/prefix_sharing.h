#pragma once

#include <string>

#include "engine/session.h"

namespace hone::engine {

/// Whether the run computes a prompt once for all answers to it.
/// @param choice auto: where the model can; always; never
/// @throws ConfigError for always, where the model's rope turns a prompt by the answer's length, or
///         where NEFTune's noise does
bool shares_prompts(const Session& session, const std::string& choice);

}  // namespace hone::engine
