#include "engine/run_training.h"

#include <torch/version.h>

#include <chrono>

#include "base/hash.h"
#include "base/log.h"
#include "engine/interrupt.h"
#include "engine/load_options.h"
#include "engine/profile.h"
#include "engine/run_lineage.h"
#include "engine/step_meter.h"
#include "model/weights.h"

namespace hone::engine {
namespace {

namespace fs = std::filesystem;

report::RunRecord start_record(const Session& session) {
  report::RunRecord record;
  record.method = session.options.train.method;
  record.seed = static_cast<std::uint64_t>(session.options.train.seed);
  record.data_sha256 = session.train_data.info().sha256;
  record.config_sha256 = sha256_hex(config::dump(session.options));
  record.hone_version = HONE_VERSION;
  record.libtorch_version = TORCH_VERSION;
  record.host = report::host_facts();
  return record;
}

void introduce(Session& session) {
  const RunOptions& options = session.options;
  const datasets::RowTotals& data = session.train_data.totals();
  log::info("model   {}: {:.1f} M weights, {} trained ({}), computed in {} on {}",
            options.model.base, double(model::parameter_count(session.decoder.spec)) / 1e6,
            session.trainable.parameter_count(), options.adapter.method,
            dtype_label(session.placement.compute_dtype), session.placement.device.str());
  log::info("weights {}", kept_as(session.decoder));
  log::info("data    {} rows, {} tokens, {:.1f} % of them trained on", data.rows, data.tokens,
            100.0 * data.weight / double(data.tokens));
  log::info("run     {} steps into {}", session.total_steps, options.train.output_dir);
}

void save(Session& session, std::int64_t step) {
  const PhaseClock::Span span = session.clock.measure(Phase::kCheckpoint);
  save_checkpoint(session.options, step, session.trainable, session.state, session.optimizer,
                  session.identity(), session.origin());
}

report::Metrics measure(const TrainingRun& run) {
  Session& session = run.session;
  const PhaseClock::Span span = session.clock.measure(Phase::kEvaluation);
  report::Metrics metrics;
  if (!session.eval_data.empty()) metrics = run.evaluate();
  const report::Metrics suite = session.suite.measure(session.decoder);
  metrics.insert(metrics.end(), suite.begin(), suite.end());
  return metrics;
}

/// Takes the steps after `steps_done`.
/// @return false where a signal ended them before the last
bool take_steps(const TrainingRun& run, RunBook& book, std::int64_t steps_done) {
  const InterruptGuard guard;
  Session& session = run.session;
  const RunOptions& options = session.options;
  const auto due = [&](std::int64_t step, std::int64_t every) {
    return step == session.total_steps || (every > 0 && step % every == 0);
  };
  const bool evaluates = !session.eval_data.empty() || !options.eval.suite.empty();
  Profile profile(options.train.output_dir, steps_done + 1, session.total_steps,
                  options.report.profile_steps);
  StepMeter meter(session);
  const auto end = [&](bool is_done) {
    book.record().extra.update(meter.summary());
    return is_done;
  };
  for (std::int64_t step = steps_done + 1; step <= session.total_steps; ++step) {
    profile.begin_step(step);
    meter.begin_step();
    const auto begin = std::chrono::steady_clock::now();
    StepReport report = run.step(step);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    meter.end_step(report, seconds.count());
    profile.end_step(step);
    book.note_step(step, report, seconds.count());

    if (evaluates && due(step, options.eval.eval_steps)) book.note_evaluation(step, measure(run));

    const bool interrupted = InterruptGuard::received() != 0 && step < session.total_steps;
    if (interrupted || due(step, options.checkpoint.save_steps)) save(session, step);
    if (interrupted) return end(false);
  }
  return end(true);
}

}  // namespace

ExitCode run_training(const TrainingRun& run, const ResumeRequest& resume) {
  Session& session = run.session;
  const RunOptions& options = session.options;
  const auto checkpoint = open_run_folder(options, resume);
  const report::Metrics start = session.suite.measure_start(session.decoder);
  std::int64_t steps_done = 0;
  if (checkpoint) {
    steps_done = load_checkpoint(*checkpoint, options, session.trainable, session.state,
                                 session.optimizer, session.identity());
    note_resumption(session.lineage, *checkpoint);
    log::info("resume  after step {} from {}", steps_done, checkpoint->folder.string());
  }
  introduce(session);

  RunBook book(options.train.output_dir, steps_done, session.total_steps, start_record(session),
               options.report);
  if (steps_done == 0 && !start.empty()) book.note_evaluation(0, start);
  try {
    const bool done = take_steps(run, book, steps_done);
    book.record().base_sha256 = session.base_sha256.get();
    if (!done) {
      book.close("stopped");
      log::info("stopped by a signal, saved; `--resume auto` goes on");
      return ExitCode::kRunAgain;
    }
    session.optimizer.take_averages();
    const fs::path product =
        save_product(session.trainable, session.decoder, options.train.output_dir,
                     resolve_model(options.model.base), session.text, session.origin());
    book.close("done");
    if (const std::string changes = session.suite.changes(); !changes.empty())
      log::info("suite   at the start -> now, and the difference (95 %)\n{}", changes);
    log::info("saved   {}", product.string());
    return ExitCode::kDone;
  } catch (const std::exception& error) {
    book.close("failed", error.what());
    throw;
  }
}

}  // namespace hone::engine
