#pragma once

#include <future>
#include <optional>
#include <string>

#include "base/error.h"
#include "config/load.h"
#include "datasets/dataset.h"
#include "datasets/step_feed.h"
#include "engine/device.h"
#include "engine/options.h"
#include "engine/run_book.h"
#include "engine/run_folder.h"
#include "engine/suite.h"
#include "engine/trainable.h"
#include "model/decoder.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"

namespace hone::sft {

/// Supervised fine-tuning: the response's tokens are made likelier, given the prompt.
/// @source next-token cross-entropy, normalised as METHODS.md says; TRL's SFTTrainer is its parity
///         reference
struct SftTrainer {
  engine::RunOptions options;
  model::Decoder decoder;
  engine::Trainable trainable;
  datasets::Dataset train_data, eval_data;
  datasets::StepFeed feed;
  engine::SuiteWatch suite;
  optim::Optimizer optimizer;
  optim::Schedule schedule;
  std::int64_t total_steps = 0;
  std::shared_future<std::string> base_sha256;  ///< taken beside the first steps

  /// One optimizer step, counted from 1. @throws Error where loss or gradient is not finite
  engine::StepReport step(std::int64_t step);
  report::Metrics evaluate();
  void save(std::int64_t step);

  nlohmann::json identity() const;
};

/// Reads everything that the options name and checks it, up to the first step.
/// @throws ConfigError, DataError
SftTrainer setup(const config::Loaded<engine::RunOptions>& config,
                 const engine::Placement& placement);

/// A whole run: set-up, steps, and the product in `output_dir`.
/// @return kDone, or kRunAgain where a signal ended it early, saved
ExitCode run(const config::Loaded<engine::RunOptions>& config, const engine::Placement& placement,
             const engine::ResumeRequest& resume);

}  // namespace hone::sft
