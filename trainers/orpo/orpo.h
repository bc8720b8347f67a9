#pragma once

#include "engine/run_training.h"

namespace hone::orpo {

/// Preference without a reference model: the chosen answer is made likelier, and likelier than the
/// rejected one. ORPO, CPO, SimPO and AlphaPO.
/// @source arXiv:2403.07691, eq. 6 and 7; arXiv:2401.08417; arXiv:2405.14734; arXiv:2501.03884.
///         TRL's ORPOTrainer and CPOTrainer are the parity reference
struct OrpoTrainer {
  engine::Session& session;
  bool shares_prompts;

  engine::StepReport step(std::int64_t step);
  report::Metrics evaluate();
};

/// `hone train` with train.method: orpo.
ExitCode run(const config::Loaded<engine::RunOptions>& config, const engine::Placement& placement,
             const engine::ResumeRequest& resume);

}  // namespace hone::orpo
