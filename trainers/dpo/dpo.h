#pragma once

#include "engine/reference.h"
#include "engine/run_training.h"
#include "loss/dpo.h"
#include "trainers/dpo/alarms.h"

namespace hone::dpo {

/// Direct preference optimisation: of two answers to a prompt the chosen one is made likelier than
/// the rejected one, measured against a reference.
/// @source arXiv:2305.18290; TRL's DPOTrainer is its parity reference
struct DpoTrainer {
  engine::Session& session;
  engine::Reference& reference;
  bool shares_prompts;
  Alarms alarms = {};

  engine::StepReport step(std::int64_t step);
  report::Metrics evaluate();
};

/// `hone train` with train.method: dpo.
ExitCode run(const config::Loaded<engine::RunOptions>& config, const engine::Placement& placement,
             const engine::ResumeRequest& resume);

}  // namespace hone::dpo
