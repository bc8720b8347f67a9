#pragma once

#include <functional>

#include "engine/batch.h"
#include "engine/session.h"

namespace hone::engine {

/// Shows each micro-batch of a step before the policy learns from any of them, without gradient and
/// with the dropout that optimizer_step will have for it: for losses that compare rows of a whole
/// step.
/// @param step, share_prompts as optimizer_step is given them
void preview_step(Session& session, std::int64_t step, const datasets::StepFeed::Step& rows,
                  const std::function<void(const DeviceBatch&)>& look, bool share_prompts);

}  // namespace hone::engine
