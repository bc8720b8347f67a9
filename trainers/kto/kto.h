#pragma once

#include "engine/reference.h"
#include "engine/run_training.h"
#include "loss/bco.h"

namespace hone::kto {

/// Kahneman–Tversky optimisation, and its kin that learn from single answers: good ones are made
/// likelier than a baseline, bad ones less likely.
/// @source arXiv:2402.01306; TRL's KTOTrainer is its parity reference
struct KtoTrainer {
  engine::Session& session;
  engine::Reference& reference;
  /// bco: mean, variance and count of all rewards so far, [3] f64; checkpoints keep it.
  torch::Tensor moments;

  engine::StepReport step(std::int64_t step);
  report::Metrics evaluate();
};

/// `hone train` with train.method: kto.
ExitCode run(const config::Loaded<engine::RunOptions>& config, const engine::Placement& placement,
             const engine::ResumeRequest& resume);

}  // namespace hone::kto
