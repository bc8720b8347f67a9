#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/load.h"
#include "engine/base_model.h"
#include "engine/options.h"
#include "engine/run_data.h"
#include "plan/activations.h"

namespace hone::plan {

/// A micro-batch that is stated in the place of data.
struct StatedBatch {
  std::int64_t tokens = 0;
  std::int64_t documents = 1;  ///< of the same length
};

/// What a config names, opened once: several plans can be made of it. No weight is read.
struct Source {
  engine::BaseModel base;
  std::optional<engine::RunData> data;  ///< none where the batch is stated
  StatedBatch stated;
  std::string device = "cpu";
};

/// @param stated a batch without tokens: the rows of the config are tokenised
/// @throws ConfigError, DataError
Source open_source(const engine::RunOptions& options, const StatedBatch& stated,
                   const std::string& device);

/// What a run holds, in bytes. The first five are named and counted as `memory` of a run's run.json
/// has them.
struct Memory {
  std::int64_t weights = 0;  ///< frozen
  std::int64_t trained = 0;  ///< masters: what the optimizer updates
  std::int64_t moments = 0;
  std::int64_t gradients = 0;
  std::int64_t activations = 0;
  std::int64_t reference = 0;  ///< a second model, which answers are measured against
  std::int64_t host = 0;       ///< of the moments, what stays in host memory beside a GPU
  /// All that the device holds at the worst moment; the program itself and its libraries are not in
  /// it.
  std::int64_t total() const {
    return weights + trained + moments + gradients + activations + reference - host;
  }
};

/// Floating-point operations, as a mean over the run's steps (engine/work.h).
struct Work {
  double step = 0;     ///< what `mfu` counts
  double again = 0;    ///< beside it: layers computed again, a reference's forward pass
  double forward = 0;  ///< of `step`, the forward pass
  double tokens = 0;   ///< a step
  double trained_tokens = 0;
  std::int64_t steps =
      0;  ///< of the run; 0 where the batch is stated and train.max_steps is not set
};

/// What ranks exchange, in bytes.
struct Exchange {
  std::int64_t gradients = 0;     ///< of all trained weights, in fp32
  std::int64_t trained = 0;       ///< all trained weights
  std::int64_t weights = 0;       ///< all weights: frozen as kept, trained in the compute dtype
  std::int64_t largest_unit = 0;  ///< of those, a layer's, the embedding's or the head's
  std::int64_t units = 0;         ///< layers, embedding and head
};

/// A run on one device, before it begins.
struct Plan {
  std::int64_t parameters = 0, trained_parameters = 0;
  std::string weights_kept_as;  ///< in words
  MicroBatch longest;           ///< of the run's micro-batches
  StepMemory step;
  Memory memory;
  Work work;
  Exchange exchange;
  std::int64_t micro_batches = 1;  ///< of a step, on each device
  bool trains_adapter = true;
  torch::Dtype compute_dtype = torch::kFloat32;
};

/// @throws ConfigError where the options do not fit the model
Plan make_plan(const config::Loaded<engine::RunOptions>& config, const Source& source);

}  // namespace hone::plan
