#include "engine/run_training.h"

#include <torch/version.h>

#include <chrono>
#include <cmath>
#include <utility>

#include "base/hash.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "checkpoint/checkpoints.h"
#include "engine/load_options.h"
#include "engine/probe.h"
#include "engine/profile.h"
#include "engine/qat.h"
#include "engine/run_checkpoint.h"
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

report::Metrics measure(const TrainingRun& run) {
  Session& session = run.session;
  const PhaseClock::Span span = session.clock.measure(Phase::kEvaluation);
  report::Metrics metrics;
  if (!session.eval_data.empty()) metrics = run.evaluate();
  const report::Metrics suite = session.suite.measure(session.decoder);
  metrics.insert(metrics.end(), suite.begin(), suite.end());
  return metrics;
}

/// Of a run that is under way.
struct Underway {
  const TrainingRun& run;
  Session& session;
  RunBook& book;
  CheckpointWriter& writer;
  StepMeter& meter;
  Profile& profile;
};

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

bool is_multiple(std::int64_t step, std::int64_t of) { return of > 0 && step % of == 0; }

bool evaluation_is_due(const Session& session) {
  const eval::EvalOptions& options = session.options.eval;
  const RunState& state = session.progress;
  if (session.eval_data.empty() && options.suite.empty()) return false;
  if (state.step == 0 || state.evaluated_step == state.step) return false;
  // Epochs are sums of fractions: a part that is done to the last bit but one is done.
  const auto parts = [&](double epoch) { return std::floor(epoch / options.eval_epochs + 1e-9); };
  return state.step == session.total_steps || is_multiple(state.step, options.eval_steps) ||
         (options.eval_epochs > 0 && parts(state.epoch) > parts(state.epoch_before));
}

/// @return whether the model is the best so far
bool evaluate(Underway& now) {
  RunState& state = now.session.progress;
  const report::Metrics metrics = measure(now.run);
  state.evaluated_step = state.step;
  now.book.note_evaluation(state.step, metrics);
  return state.stopping.note(state.step, metrics);
}

/// Saves the state after the last step, unless that has been done. What holds a NaN is never saved.
void save(Underway& now) {
  Session& session = now.session;
  if (session.progress.step > 0 && now.writer.saved_step() == session.progress.step) return;
  const PhaseClock::Span span = session.clock.measure(Phase::kCheckpoint);
  if (const auto poisoned = first_non_finite(session)) {
    HONE_CHECK(Error, session.options.guard.on_non_finite == "rollback",
               "step {}: {} has become infinite or no number, so this state is not saved; the last "
               "checkpoint is good. A lower optim.learning_rate may help; guard.on_non_finite: "
               "rollback goes on from that checkpoint",
               session.progress.step, *poisoned);
    log::warn("step {}: {} has become infinite or no number", session.progress.step, *poisoned);
    now.writer.wait();
    roll_back(session);
  }
  now.writer.save(session);
}

/// What follows a step that is done: its evaluation and its checkpoint.
/// @return whether it was the last one
bool conclude_step(Underway& now) {
  const RunOptions& options = now.session.options;
  const RunState& state = now.session.progress;
  const bool is_best = evaluation_is_due(now.session) && evaluate(now);
  const bool is_last = state.step >= now.session.total_steps || state.stopping.is_due();
  const bool is_due = state.step > 0 ? is_multiple(state.step, options.checkpoint.save_steps)
                                     : options.guard.rolls_back();
  if (is_last || is_due || (is_best && options.checkpoint.saves_best())) save(now);
  return is_last;
}

void take_step(Underway& now) {
  RunState& state = now.session.progress;
  const std::int64_t step = state.step + 1;
  now.profile.begin_step(step);
  now.meter.begin_step();
  const auto begin = std::chrono::steady_clock::now();
  StepReport report = now.run.step(step);
  const double seconds = seconds_since(begin);
  now.meter.end_step(report, seconds);
  now.profile.end_step(step);
  state.step = step;
  state.epoch_before = std::exchange(state.epoch, report.epoch);
  if (report.verdict == Verdict::kRollBack) {
    now.writer.wait();
    report.extra.emplace_back("rolled_back_to", roll_back(now.session));
  }
  now.book.note_step(step, report, seconds);
  now.writer.check();
}

/// Takes the steps that are left.
/// @return false where a signal ended them; what was done is saved
bool take_steps(Underway& now) {
  bool is_done = false;
  try {
    if (now.session.progress.step < now.session.total_steps) probe(now.run);
    now.session.clock = {};  // what the probe took is no step's
    while (!conclude_step(now)) {
      leave_if_interrupted();
      take_step(now);
    }
    is_done = true;
  } catch (const Interrupted&) {
    if (now.session.progress.step > 0) save(now);
  }
  now.book.record().extra.update(now.meter.summary());
  now.writer.wait();
  return is_done;
}

/// Ends a run that has taken its steps. @return the product's folder
fs::path make_product(Session& session) {
  const RunOptions& options = session.options;
  const auto best = session.progress.stopping.best_step();
  if (options.checkpoint.load_best_model_at_end && best && *best != session.progress.step) {
    log::info("best    step {}: {} {:.6g}", *best, session.progress.stopping.metric(),
              session.progress.stopping.best_value());
    load_weights(checkpoint::verify(checkpoint::folder_of_step(options.train.output_dir, *best)),
                 session);
  }
  session.optimizer.take_averages();
  if (session.qat) save_quantized(session);
  return save_product(session.trainable, session.decoder, options.train.output_dir,
                      resolve_model(options.model.base), session.text, session.origin());
}

/// What run.json says of how the run went.
nlohmann::ordered_json outcome_of(const Session& session) {
  const RunState& state = session.progress;
  nlohmann::ordered_json outcome = {{"skipped_steps", state.guard.skipped()}};
  if (const auto best = state.stopping.best_step())
    outcome["best"] = {{"step", *best},
                       {"metric", state.stopping.metric()},
                       {"value", state.stopping.best_value()}};
  if (state.stopping.is_due()) outcome["stopped_early"] = true;
  return outcome;
}

}  // namespace

ExitCode run_training(const TrainingRun& run, const ResumeRequest& resume) {
  Session& session = run.session;
  const RunOptions& options = session.options;
  const auto checkpoint = open_run_folder(options, resume);
  const report::Metrics start = session.suite.measure_start(session.decoder);
  if (checkpoint) {
    load_checkpoint(*checkpoint, session);
    note_resumption(session.lineage, *checkpoint);
    if (session.qat) session.qat->begin_step(session.progress.step);
    log::info("resume  after step {} from {}", session.progress.step, checkpoint->folder.string());
  }
  introduce(session);

  const std::int64_t steps_done = session.progress.step;
  RunBook book(options.train.output_dir, steps_done, session.total_steps, start_record(session),
               options.report);
  if (steps_done == 0 && !start.empty()) book.note_evaluation(0, start);
  try {
    CheckpointWriter writer(steps_done);
    StepMeter meter(session);
    Profile profile(options.train.output_dir, steps_done + 1, session.total_steps,
                    options.report.profile_steps);
    Underway now{run, session, book, writer, meter, profile};
    const bool done = take_steps(now);
    book.record().base_sha256 = session.base_sha256.get();
    book.record().extra.update(outcome_of(session));
    if (!done) {
      book.close("stopped");
      log::info("stopped by a signal after step {}, saved; `--resume auto` goes on",
                session.progress.step);
      return ExitCode::kRunAgain;
    }
    const fs::path product = make_product(session);
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
