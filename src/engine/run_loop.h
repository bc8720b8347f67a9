#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>

#include "base/log.h"
#include "engine/interrupt.h"
#include "engine/options.h"
#include "engine/run_book.h"

namespace hone::engine {

/// What the loop needs of a trainer. There is no base class: a trainer is a struct that has these.
template <class T>
concept Trainer = requires(T trainer, std::int64_t step) {
  { trainer.step(step) } -> std::same_as<StepReport>;
  { trainer.evaluate() } -> std::same_as<report::Metrics>;
  {trainer.save(step)};
};

/// Runs steps `steps_done + 1` to `total_steps`, evaluates and saves when the options say so and at
/// the end. A signal ends it after the step under way, saved.
/// @return false where a signal ended it before the last step
template <Trainer T>
bool run_loop(T& trainer, RunBook& book, const RunOptions& options, std::int64_t steps_done,
              std::int64_t total_steps) {
  const InterruptGuard guard;
  const auto due = [&](std::int64_t step, std::int64_t every) {
    return step == total_steps || (every > 0 && step % every == 0);
  };
  for (std::int64_t step = steps_done + 1; step <= total_steps; ++step) {
    const auto begin = std::chrono::steady_clock::now();
    const StepReport report = trainer.step(step);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    book.note_step(step, report, seconds.count());

    const bool evaluates = !options.data.eval.empty() || !options.eval.suite.empty();
    if (evaluates && due(step, options.eval.eval_steps))
      book.note_evaluation(step, trainer.evaluate());

    const bool interrupted = InterruptGuard::received() != 0 && step < total_steps;
    if (interrupted || due(step, options.checkpoint.save_steps)) trainer.save(step);
    if (interrupted) return false;
  }
  return true;
}

}  // namespace hone::engine
