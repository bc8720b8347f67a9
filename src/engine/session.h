#pragma once

#include <future>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "adapters/fake_quantized.h"
#include "config/load.h"
#include "datasets/dataset.h"
#include "datasets/step_feed.h"
#include "distributed/group.h"
#include "engine/device.h"
#include "engine/lineage.h"
#include "engine/options.h"
#include "engine/phase_clock.h"
#include "engine/run_folder.h"
#include "engine/run_state.h"
#include "engine/suite.h"
#include "engine/text.h"
#include "engine/trainable.h"
#include "model/decoder.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"

namespace hone::engine {

class Sharding;

/// What every trainer works with: the model, what of it is trained, the rows, and how steps are
/// taken. A trainer holds one, and adds what its method needs besides.
struct Session {
  RunOptions options;
  Placement placement;
  Text text;
  model::Decoder decoder;
  /// The model before anything was attached or trained; it shares what stays frozen. Only where the
  /// method measures its policy against it.
  std::optional<model::Decoder> base;
  Trainable trainable;
  std::optional<adapters::EvaStart> eva_start;  ///< what an adapter began with that begins so
  datasets::Dataset train_data, eval_data;
  datasets::StepFeed feed;
  SuiteWatch suite;
  optim::Optimizer optimizer;
  optim::Schedule schedule;
  std::int64_t total_steps = 0;
  datasets::Sampler::Extremes extremes;  ///< of its micro-batches
  RunState progress;
  /// What the trainer itself goes on from beside masters and moments, by name; checkpoints keep it.
  optim::NamedTensors state = {};
  PhaseClock clock = {};
  std::shared_future<std::string> base_sha256;  ///< taken beside the first steps
  Lineage lineage;                              ///< but for the hash of its base
  /// Null where the options ask for none.
  std::shared_ptr<adapters::FakeQuantization> qat = {};
  distributed::Group group = {};  ///< the processes that take its steps together
  /// Null where every rank keeps everything. Then trainable.parameters are this rank's parts.
  std::shared_ptr<Sharding> sharding = {};

  /// See identity_of(). Waits for base_sha256.
  nlohmann::json identity() const;
  /// The passes that this rank has to make with others beside those of its own micro-batches of a
  /// step: under a strategy by which each pass takes all ranks.
  std::size_t passes_left(const datasets::StepFeed::Step& rows) const;
  /// For the manifests of what it saves. Waits for base_sha256.
  nlohmann::json origin() const;
};

/// Reads everything that the options name and checks it, up to the first step.
/// @param resume says whether what is learnt from the data before it is in a checkpoint already
/// @throws ConfigError, DataError
Session open_session(const config::Loaded<RunOptions>& config, const Placement& placement,
                     const ResumeRequest& resume = {});

}  // namespace hone::engine
