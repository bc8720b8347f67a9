#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/run_book.h"
#include "engine/session.h"
#include "engine/work.h"
#include "optim/parameter.h"

namespace hone::engine {

/// Measures what steps take, and adds it to their metrics:
///
///   time_data_s, time_forward_s, time_backward_s, time_optimizer_s   of this step
///   time_evaluation_s, time_checkpoint_s   between the step before and this one
///   activations_peak_bytes   the most that the step held beyond weights, moments and gradients:
///                            activations, and what operations need for the moment (on the CPU)
///   mfu                      step_flops() over the step's time and matrix_peak_flops(), where the
///                            lengths of its documents are known
class StepMeter {
 public:
  /// Measures the machine's peak. @param session lives longer than the meter
  explicit StepMeter(Session& session);

  void begin_step();
  void end_step(StepReport& report, double seconds);

  /// For run.json: `seconds_by_phase` so far, `memory` by class, `matrix_peak_flops`, `mfu` over
  /// all steps but the first.
  nlohmann::ordered_json summary() const;

 private:
  Session& session_;
  ModelWork work_;
  double peak_flops_;
  std::int64_t bytes_before_ = 0, activations_peak_bytes_ = 0;
  std::int64_t steps_ = 0;
  double data_s_ = 0, flops_ = 0, seconds_ = 0;
};

/// Adds the norm of the gradient of each kind of parameter, over all layers, as grad_norm/KIND: a
/// kind is what the last two parts of a name say (q_proj.lora_A).
/// @param group the ranks that have parts of the parameters; one alone: they are whole
void add_group_norms(const std::vector<optim::Parameter>& parameters,
                     const distributed::Group& group, report::Metrics& metrics);

}  // namespace hone::engine
