#pragma once

#include <string>

#include "engine/session.h"

namespace hone::engine {

/// Whether documents of the session's rows can share their prompts in a model.
bool can_share_prompts(const model::Spec& spec, const Session& session);

/// Whether the run computes a prompt once for all answers to it.
/// @param choice auto: where that gives the same numbers; always: where the model can, and dropout
///        drops the same of a prompt for all of its answers; never
/// @throws ConfigError for always, where the model's rope turns a prompt by the answer's length, or
///         where NEFTune's noise does
bool shares_prompts(const Session& session, const std::string& choice);

}  // namespace hone::engine
