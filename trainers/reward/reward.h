#pragma once

#include "engine/run_training.h"
#include "trainers/reward/objective.h"

namespace hone::reward {

/// Reward modelling: a head on the last hidden states learns to say which of two answers is better,
/// how good an answer is, or which steps of a solution are right.
/// @source Bradley–Terry as in InstructGPT, arXiv:2203.02155, eq. 1, with the margin of
///         arXiv:2307.09288 and centring of arXiv:2312.09244; by step: arXiv:2305.20050. TRL's
///         RewardTrainer is the parity reference
struct RewardTrainer {
  engine::Session& session;
  const Objective& objective;
  bool shares_prompts;

  engine::StepReport step(std::int64_t step);
  report::Metrics evaluate();
};

/// `hone train` with train.method: reward.
ExitCode run(const config::Loaded<engine::RunOptions>& config, const engine::Placement& placement,
             const engine::ResumeRequest& resume);

}  // namespace hone::reward
