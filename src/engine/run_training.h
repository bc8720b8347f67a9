#pragma once

#include <concepts>
#include <cstdint>
#include <functional>

#include "base/error.h"
#include "engine/run_book.h"
#include "engine/run_folder.h"
#include "engine/session.h"

namespace hone::engine {

/// A trainer as the run sees it.
struct TrainingRun {
  Session& session;
  std::function<StepReport(std::int64_t step)> step;  ///< one optimizer step, counted from 1
  std::function<report::Metrics()> evaluate;          ///< over data.eval, not empty
};

/// A whole run: a checkpoint to go on from or a fresh folder, the steps with evaluations and
/// checkpoints as the options say, and the product in train.output_dir. A signal ends it wherever
/// it is, saved as it was after the last whole step.
/// @pre an InterruptGuard lives where signals are to be noted
/// @return kDone, or kRunAgain where a signal ended it early
ExitCode run_training(const TrainingRun& run, const ResumeRequest& resume);

/// What a run needs of a trainer. There is no base class: a trainer is a struct that has these.
template <class T>
concept Trainer = requires(T trainer, std::int64_t step) {
  { trainer.session } -> std::same_as<Session&>;
  { trainer.step(step) } -> std::same_as<StepReport>;
  { trainer.evaluate() } -> std::same_as<report::Metrics>;
};

template <Trainer T>
ExitCode run_training(T trainer, const ResumeRequest& resume) {
  return run_training(
      TrainingRun{trainer.session, [&](std::int64_t step) { return trainer.step(step); },
                  [&] { return trainer.evaluate(); }},
      resume);
}

}  // namespace hone::engine
