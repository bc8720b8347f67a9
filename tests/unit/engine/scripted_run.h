#pragma once

#include <functional>
#include <map>
#include <string>

#include "engine/run_training.h"
#include "support/support.h"

namespace hone::test {

/// Supervised fine-tuning of the tiny model of tests/data/train, in this process, in which a test
/// says what happens at which step.
struct ScriptedTrainer {
  engine::Session& session;
  std::map<std::int64_t, double> loss_factors = {};      ///< by step: the loss is multiplied
  std::function<void(std::int64_t)> after_forward = {};  ///< within a step, before its gradient
  std::function<void(std::int64_t)> after_step = {};     ///< once its update is done
  std::function<report::Metrics(std::int64_t)> measure = {};  ///< in the place of data.eval's loss

  engine::StepReport step(std::int64_t step);
  report::Metrics evaluate();
};

/// A run of that trainer in a folder of its own.
struct ScriptedRun {
  TempFolder folder;
  std::string adapter = "{method: lora, r: 4, lora_dropout: 0.1}";
  /// What the trainer is told to do; its session is that of the call.
  std::function<void(ScriptedTrainer&)> script = [](ScriptedTrainer&) {};

  std::filesystem::path output() const { return folder / "run"; }
  /// @param overrides as on the command line: "train.max_steps=20"
  /// @param from where it resumes: see engine::ResumeRequest
  ExitCode train(const std::vector<std::string>& overrides, bool resume = false,
                 const std::string& from = "auto") const;

  /// Bytes of the product.
  std::string product() const;
  /// The steps of the checkpoints, each of them verified and free of NaN and infinity.
  std::vector<std::int64_t> checkpoints() const;
  /// Lines of metrics.jsonl that hold a key: its value by step.
  std::map<std::int64_t, double> metric(const std::string& key) const;
  nlohmann::json record() const;
};

}  // namespace hone::test
