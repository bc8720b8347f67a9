#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "engine/guard.h"
#include "engine/options.h"
#include "engine/stopping.h"
#include "optim/loss_scale.h"

namespace hone::engine {

/// What a run knows besides its weights and moments. A checkpoint holds it, so that a run that goes
/// on decides as the run that never stopped.
struct RunState {
  /// @param scales_loss whether gradients are computed in fp16
  explicit RunState(const RunOptions& options, bool scales_loss = false)
      : guard(options.guard, options.optim.step_in_backward),
        stopping(options.eval, options.checkpoint.saves_best()) {
    if (scales_loss) loss_scale.emplace();
  }

  std::int64_t step = 0;            ///< steps done, those that changed nothing included
  double epoch = 0;                 ///< epochs done after it,
  double epoch_before = 0;          ///< and after the step before
  std::int64_t evaluated_step = 0;  ///< of the last evaluation
  Guard guard;
  Stopping stopping;
  std::optional<optim::LossScale> loss_scale;

  nlohmann::json to_json() const;
  /// @throws CheckpointError where it is not what to_json() gave
  void restore(const nlohmann::json& saved);
};

}  // namespace hone::engine
