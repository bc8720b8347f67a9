#pragma once

#include "engine/run_training.h"

namespace hone::sft {

/// Supervised fine-tuning: the response's tokens are made likelier, given the prompt.
/// @source next-token cross-entropy, normalised as METHODS.md says; TRL's SFTTrainer is its parity
///         reference
struct SftTrainer {
  engine::Session& session;

  engine::StepReport step(std::int64_t step);
  report::Metrics evaluate();
};

/// `hone train` with train.method: sft.
ExitCode run(const config::Loaded<engine::RunOptions>& config, const engine::Placement& placement,
             const engine::ResumeRequest& resume);

}  // namespace hone::sft
