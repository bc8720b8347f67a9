#include "engine/run_training.h"

#include <torch/version.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <utility>

#include "base/hash.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "checkpoint/checkpoints.h"
#include "distributed/exchange.h"
#include "engine/checkpoint_writer.h"
#include "engine/choose_together.h"
#include "engine/evaluate.h"
#include "engine/load_options.h"
#include "engine/probe.h"
#include "engine/profile.h"
#include "engine/qat.h"
#include "engine/run_checkpoint.h"
#include "engine/run_lineage.h"
#include "engine/sharding.h"
#include "engine/step_meter.h"
#include "engine/tensor_classes.h"
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
  const datasets::RowTotals& data = session.train_data.totals();
  record.extra["data"] = {{"rows", data.rows},
                          {"tokens", data.tokens},
                          {"trained_share", data.weight / double(data.tokens)}};
  if (!session.eval_data.empty()) record.extra["data"]["eval_rows"] = session.eval_data.size();
  record.extra["ranks"] = session.group.world();
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
  log::info("kept    {}", tensor_classes(session));
  log::info("data    {} rows, {} tokens, {:.1f} % of them trained on", data.rows, data.tokens,
            100.0 * data.weight / double(data.tokens));
  log::info("run     {} steps into {}", session.total_steps, options.train.output_dir);
  if (!session.group.is_alone())
    log::info("ranks   {}, which share each step ({})", session.group.world(),
              options.distributed.strategy);
}

/// Ranks that share a step take it whole: none may leave the others in the middle of it. In an
/// evaluation they agree on leaving after each round of batches.
std::unique_ptr<InterruptHold> hold_for(const distributed::Group& group) {
  return group.is_alone() ? nullptr : std::make_unique<InterruptHold>();
}

report::Metrics measure(const TrainingRun& run) {
  Session& session = run.session;
  const PhaseClock::Span span = session.clock.measure(Phase::kEvaluation);
  const auto hold = hold_for(session.group);
  report::Metrics metrics;
  if (!session.eval_data.empty()) metrics = run.evaluate();
  const report::Metrics suite = session.suite.measure(session.decoder, crew_of(session));
  metrics.insert(metrics.end(), suite.begin(), suite.end());
  return metrics;
}

report::Metrics measure_suite_start(Session& session) {
  const auto hold = hold_for(session.group);
  return session.suite.measure_start(session.decoder, crew_of(session));
}

/// Of a run that is under way.
struct Underway {
  const TrainingRun& run;
  Session& session;
  RunBook& book;
  CheckpointWriter& writer;
  StepMeter& meter;
  Profile& profile;
  bool is_asked_to_end = false;  ///< a signal has reached a rank
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

/// The first rank's metrics: what they decide is decided alike on machines that round otherwise.
void take_from_first(const distributed::Group& group, report::Metrics& metrics) {
  std::vector<double> values;
  for (const auto& [name, value] : metrics)
    values.push_back(std::visit([](auto number) { return double(number); }, value));
  if (group.is_alone() || values.empty()) return;
  const torch::Tensor told = torch::tensor(values, torch::kFloat64);
  group.broadcast(told, 0, "the evaluation", distributed::Patience::kPhase);
  const auto* next = told.const_data_ptr<double>();
  for (auto& [name, value] : metrics) {
    if (double* number = std::get_if<double>(&value)) *number = *next;
    ++next;
  }
}

/// Measures the model where that is due, each rank a share of the rows, and agrees with the other
/// ranks on whether the run shall end: a signal may have reached one of them alone.
/// @throws Interrupted, on all ranks, where a signal left them without a result
std::optional<report::Metrics> measure_if_due(Underway& now) {
  enum Turn : int { kGoOn, kEnd, kLeft };
  std::optional<report::Metrics> metrics;
  Turn turn = kGoOn;
  try {
    if (evaluation_is_due(now.session)) metrics = measure(now.run);
    if (interrupt_requested() != 0) turn = kEnd;
  } catch (const Interrupted&) {
    turn = kLeft;
  }
  const distributed::Group& group = now.session.group;
  const int agreed =
      distributed::greatest(group, turn, "the signals", distributed::Patience::kPhase);
  if (agreed == kLeft) throw Interrupted("a signal ended an evaluation");
  now.is_asked_to_end = agreed == kEnd;
  if (metrics) take_from_first(group, *metrics);
  return metrics;
}

/// @return whether the model is the best so far
bool evaluate_if_due(Underway& now) {
  RunState& state = now.session.progress;
  const auto found = measure_if_due(now);
  if (!found) return false;
  const report::Metrics& metrics = *found;
  state.evaluated_step = state.step;
  now.book.note_evaluation(state.step, metrics);
  // What is not packed yet is another model than the one that is trained.
  if (now.session.qat && !now.session.qat->is_active) return false;
  return state.stopping.note(state.step, metrics);
}

/// The rows of data.eval before the first step of a run, where that is wished. What the suite says
/// of it has been noted.
void evaluate_start(Underway& now) {
  Session& session = now.session;
  if (!session.options.eval.eval_on_start || session.eval_data.empty()) return;
  if (session.progress.step > 0) return;
  report::Metrics metrics = now.run.evaluate();
  take_from_first(session.group, metrics);
  now.book.note_evaluation(0, metrics);
}

/// @return the step whose weights are back
std::int64_t go_back(Underway& now) {
  now.writer.wait();
  Session& session = now.session;
  session.group.barrier("the checkpoint to go back to", distributed::Patience::kPhase);
  const std::int64_t step = roll_back(session);
  if (session.sharding) session.sharding->follow_parts();
  return step;
}

/// Saves the state after the last step, unless that has been done. What holds a NaN is never saved.
void save(Underway& now) {
  Session& session = now.session;
  if (session.progress.step > 0 && now.writer.saved_step() == session.progress.step) return;
  const PhaseClock::Span span = session.clock.measure(Phase::kCheckpoint);
  const auto poisoned = now.writer.save(session);
  if (!poisoned) return;
  HONE_CHECK(Error, session.options.guard.on_non_finite == "rollback",
             "step {}: {} has become infinite or no number, so this state is not saved; the last "
             "checkpoint is good. A lower optim.learning_rate may help; guard.on_non_finite: "
             "rollback goes on from that checkpoint",
             session.progress.step, *poisoned);
  log::warn("step {}: {} has become infinite or no number", session.progress.step, *poisoned);
  go_back(now);
  const auto again = now.writer.save(session);
  HONE_CHECK(CheckpointError, !again, "{}: the checkpoint that was gone back to is not finite",
             *again);
}

/// Saves where a signal ends the run. What could not be written behind it is tried once more: there
/// may be room again. Otherwise the run has failed.
void save_at_the_end(Underway& now) {
  now.writer.settle();
  if (now.session.progress.step > 0) save(now);
  now.writer.wait();
}

/// What follows a step that is done: its evaluation and its checkpoint.
/// @return whether it was the last one
bool conclude_step(Underway& now) {
  const RunOptions& options = now.session.options;
  const RunState& state = now.session.progress;
  const bool is_best = evaluate_if_due(now);
  const bool is_last = state.step >= now.session.total_steps || state.stopping.is_due();
  const bool is_due = state.step > 0 ? is_multiple(state.step, options.checkpoint.save_steps)
                                     : options.guard.rolls_back();
  if (is_last || is_due || (is_best && options.checkpoint.saves_best())) {
    save(now);
    // Who does not write waits here, and not within the next step, where there is less patience.
    now.session.group.barrier("the checkpoint", distributed::Patience::kPhase);
  }
  return is_last;
}

void take_step(Underway& now) {
  const auto hold = hold_for(now.session.group);
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
  if (report.verdict == Verdict::kRollBack)
    report.extra.emplace_back("rolled_back_to", go_back(now));
  now.book.note_step(step, report, seconds);
  now.session.group.end_first_step();
  // Where a signal has come, save_at_the_end() sees to what went wrong.
  now.writer.check(/*is_ending=*/interrupt_requested() != 0);
}

/// Takes the steps that are left.
/// @return false where a signal ended them; what was done is saved
bool take_steps(Underway& now) {
  bool is_done = false;
  try {
    if (now.session.progress.step < now.session.total_steps) {
      const auto hold = hold_for(now.session.group);
      probe(now.run);
      evaluate_start(now);
    }
    now.session.clock = {};  // what these took is no step's
    while (!conclude_step(now)) {
      if (now.is_asked_to_end) throw Interrupted("a signal ended the run");
      take_step(now);
    }
    is_done = true;
  } catch (const Interrupted&) {
    save_at_the_end(now);
  }
  now.book.record().extra.update(now.meter.summary());
  now.writer.wait();
  return is_done;
}

/// The weights of the best evaluation, where these are wished. Each rank loads what it keeps.
void load_best(Session& session) {
  const RunOptions& options = session.options;
  const auto best = session.progress.stopping.best_step();
  if (!options.checkpoint.load_best_model_at_end || !best || *best == session.progress.step) return;
  log::info("best    step {}: {} {:.6g}", *best, session.progress.stopping.metric(),
            session.progress.stopping.best_value());
  const auto checkpoint = choose_together(session.group, [&](const checkpoint::Verify& verify) {
    return std::optional(verify(checkpoint::folder_of_step(options.train.output_dir, *best)));
  });
  load_weights(*checkpoint, session);
}

/// Makes the weights those of the product, whole.
void take_final_weights(Session& session) {
  load_best(session);
  session.optimizer.take_averages();
  if (!session.sharding) return;
  session.sharding->follow_parts();
  session.sharding->dissolve(session.decoder);
}

/// Ends a run that has taken its steps. @return the product's folder
fs::path make_product(Session& session) {
  const RunOptions& options = session.options;
  if (session.qat) save_quantized(session);
  return save_product(session.trainable, session.decoder, options.train.output_dir,
                      resolve_model(options.model.base), session.text, session.origin());
}

/// The first rank opens the run's folder, and tells the others where they go on from.
std::optional<checkpoint::VerifiedFolder> open_folder(const Session& session,
                                                      const ResumeRequest& resume) {
  return choose_together(session.group, [&](const checkpoint::Verify& verify) {
    return open_run_folder(session.options, resume, verify);
  });
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
  if (state.loss_scale)
    outcome["loss_scale"] = {{"factor", state.loss_scale->factor},
                             {"overflowed_steps", state.loss_scale->overflows}};
  return outcome;
}

}  // namespace

ExitCode run_training(const TrainingRun& run, const ResumeRequest& resume) {
  Session& session = run.session;
  const RunOptions& options = session.options;
  const auto checkpoint = open_folder(session, resume);
  const report::Metrics start = measure_suite_start(session);
  if (checkpoint) {
    load_checkpoint(*checkpoint, session);
    note_resumption(session.lineage, *checkpoint);
    if (session.qat) session.qat->begin_step(session.progress.step);
    log::info("resume  after step {} from {}", session.progress.step, checkpoint->folder.string());
  }
  if (session.sharding) session.sharding->follow_parts();
  introduce(session);

  const bool writes = session.group.is_first();
  const std::int64_t steps_done = session.progress.step;
  RunBook book(options.train.output_dir, steps_done, session.total_steps, start_record(session),
               options.report, writes);
  if (steps_done == 0 && !start.empty()) book.note_evaluation(0, start);
  try {
    CheckpointWriter writer(session.group, steps_done);
    StepMeter meter(session);
    Profile profile(options.train.output_dir, steps_done + 1, session.total_steps,
                    writes ? options.report.profile_steps : 0);
    Underway now{run, session, book, writer, meter, profile};
    const bool done = take_steps(now);
    if (done) take_final_weights(session);
    session.group.close();
    if (!writes) return done ? ExitCode::kDone : ExitCode::kRunAgain;
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
