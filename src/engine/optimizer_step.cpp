#include "engine/optimizer_step.h"

#include <c10/util/Exception.h>

#include <cmath>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "distributed/exchange.h"
#include "distributed/overlapped_sum.h"
#include "distributed/strategy.h"
#include "engine/rank_guard.h"
#include "engine/relora_restart.h"
#include "engine/sharding.h"
#include "engine/step_meter.h"
#include "model/offload.h"
#include "optim/backward_steps.h"
#include "optim/clip.h"

namespace hone::engine {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

/// LibTorch has a type of its own for GPUs only.
bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) return true;
  return std::string_view(error.what()).find("DefaultCPUAllocator") != std::string_view::npos;
}

[[noreturn]] void refuse_size(std::int64_t step, const datasets::Batch& batch,
                              std::string_view reason) {
  throw Error(
      fmt::format("{}: a micro-batch of {} tokens in {} documents, the longest of {}, does not fit "
                  "into memory: "
                  "{}. What helps, the cheapest first: train.gradient_checkpointing: every_layer; "
                  "train.tokens_per_device_batch: {} and more train.gradient_accumulation_steps, "
                  "which give the "
                  "same steps; a smaller data.max_length",
                  step == kProbeStep ? "the probe" : fmt::format("step {}", step), batch.tokens(),
                  batch.documents(), batch.longest_document(), reason.substr(0, reason.find('\n')),
                  batch.tokens() / 2));
}

Tensor forward(Session& session, const LossOf& loss_of, const datasets::Batch& micro_batch,
               bool share_prompts) {
  const PhaseClock::Span span = session.clock.measure(Phase::kForward);
  const model::OffloadGuard offload(session.options.train.activation_offload);
  return loss_of(to_device(micro_batch, session.decoder.device(), share_prompts));
}

/// What losses are multiplied by before their gradient is computed.
double loss_scale(const Session& session) {
  const auto& scale = session.progress.loss_scale;
  return scale ? scale->factor : 1;
}

/// Weights that are updated in the backward pass stay as they are where there is nothing to learn
/// from, and are not left half updated by a signal.
void update_in_backward(const Tensor& loss) {
  const InterruptHold hold;
  if (std::isfinite(loss.item<double>())) loss.backward();
}

void run_backward(Session& session, const Tensor& loss) {
  if (session.sharding)
    session.sharding->run_backward([&] { loss.backward(); });
  else
    loss.backward();
}

/// Adds the gradient of a micro-batch. @return its loss
double backward_of(const datasets::Batch& micro_batch, Session& session, std::int64_t step,
                   const LossOf& loss_of, bool share_prompts) {
  try {
    const Tensor loss = forward(session, loss_of, micro_batch, share_prompts);
    const PhaseClock::Span span = session.clock.measure(Phase::kBackward);
    const double scale = loss_scale(session);
    if (session.options.optim.step_in_backward)
      update_in_backward(loss);
    else
      run_backward(session, scale == 1 ? loss : loss * scale);
    return loss.item<double>();
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) throw;
    refuse_size(step, micro_batch, error.what());
  }
}

/// What lives through the backward pass where parameters are updated in it; null where they are
/// not.
std::unique_ptr<optim::BackwardSteps> steps_in_backward(Session& session, std::int64_t step) {
  if (!session.options.optim.step_in_backward) return nullptr;
  std::optional<optim::BackwardSteps::Update> update;
  if (step != kProbeStep)
    update = {session.schedule.at(step - 1), session.options.train.max_grad_value};
  return std::make_unique<optim::BackwardSteps>(session.optimizer, update);
}

/// A gradient that overflows under a loss that is finite is the loss scale's fault, not the rows',
/// and no harm that the guard should look at.
Verdict judge(Session& session, std::int64_t step, StepReport& report) {
  auto& scale = session.progress.loss_scale;
  if (scale) report.extra.emplace_back("loss_scale", scale->factor);
  const bool overflows = scale && std::isfinite(report.loss) && !std::isfinite(report.grad_norm);
  if (!overflows) {
    const Verdict verdict = session.progress.guard.judge(step, report.loss, report.grad_norm);
    if (scale && std::isfinite(report.grad_norm)) scale->note_finite();
    return verdict;
  }
  scale->note_overflow(step);
  report.extra.emplace_back("overflow", std::int64_t{1});
  log::info(
      "step {}: a gradient overflows fp16; the step changes no weight, and the loss scale is "
      "{} from here on",
      step, scale->factor);
  return Verdict::kSkip;
}

/// The gradients' joint norm before they are made ready for the update.
double clip(Session& session, StepReport& report) {
  const TrainOptions& train = session.options.train;
  const std::vector<optim::Parameter>& parameters = session.optimizer.parameters();
  if (session.progress.loss_scale) optim::unscale(parameters, loss_scale(session));
  const distributed::Group alone;
  const distributed::Group& holders = session.sharding ? session.sharding->group() : alone;
  if (session.options.report.grad_norm_groups) add_group_norms(parameters, holders, report.extra);
  const double norm = optim::clip_grad_norm(parameters, train.max_grad_norm, [&](double squares) {
    distributed::sum_numbers(holders, {&squares, 1}, "the gradients' norm");
    return squares;
  });
  optim::clip_grad_value(parameters, train.max_grad_value);
  return norm;
}

void note_documents(const datasets::Batch& micro_batch, StepReport& report) {
  for (std::size_t d = 1; d < micro_batch.cu_seqlens.size(); ++d)
    report.document_lengths.push_back(micro_batch.cu_seqlens[d] - micro_batch.cu_seqlens[d - 1]);
}

std::vector<Tensor> leaves_of(const Session& session) {
  std::vector<Tensor> leaves;
  for (const optim::Parameter& parameter : session.optimizer.parameters())
    leaves.push_back(parameter.tensor);
  return leaves;
}

/// Sums gradients over the ranks while the last of them are computed. Null where that is not worth
/// its while: an adapter's are few.
std::unique_ptr<distributed::OverlappedSum> overlapped_sum(const Session& session,
                                                           std::int64_t step) {
  const distributed::DistributedOptions& options = session.options.distributed;
  if (step == kProbeStep || session.group.is_alone() || session.trainable.adapter) return nullptr;
  if (!distributed::strategy_named(options.strategy).overlaps) return nullptr;
  return std::make_unique<distributed::OverlappedSum>(
      session.group, leaves_of(session), static_cast<std::int64_t>(options.bucket_mb * 1e6));
}

/// Loss and gradient become those of all ranks' micro-batches.
/// @param overlapped which has begun with the gradients; null: nothing has
void add_other_ranks(Session& session, StepReport& report, distributed::OverlappedSum* overlapped) {
  if (session.group.is_alone()) return;
  const PhaseClock::Span span = session.clock.measure(Phase::kBackward);
  const auto& strategy = distributed::strategy_named(session.options.distributed.strategy);
  if (session.sharding)
    session.sharding->sum_gradients();
  else if (overlapped != nullptr)
    overlapped->finish();
  else
    strategy.reduce_gradients(session.group, leaves_of(session));
  distributed::sum_numbers(session.group, {&report.loss, 1}, "the loss");
}

/// Where every pass takes all ranks, one that has computed its micro-batches goes along with those
/// that have more.
void go_along(Session& session, const datasets::StepFeed::Step& rows, bool share_prompts) {
  const std::size_t left = session.passes_left(rows);
  if (left == 0) return;
  const PhaseClock::Span span = session.clock.measure(Phase::kBackward);
  for (std::size_t i = 0; i < left; ++i)
    session.sharding->stand_in(
        session.decoder,
        to_device(rows.micro_batches.front(), session.decoder.device(), share_prompts).tokens);
}

void drop_gradients(Session& session) {
  session.optimizer.zero_grad();
  if (session.sharding) session.sharding->drop_gradients();
}

}  // namespace

StepReport optimizer_step(Session& session, std::int64_t step, const datasets::StepFeed::Step& rows,
                          const LossOf& loss_of, bool share_prompts) {
  StepReport report;
  report.epoch = rows.epoch;
  if (step != kProbeStep) restart_where_due(session, step);

  // 1. The gradient of one sum over all micro-batches, of which this rank computes its own.
  adapters::DropoutState& dropout = *session.trainable.dropout;
  dropout.training = true;
  dropout.step = static_cast<std::uint64_t>(step);
  dropout.first_row = 0;
  if (session.qat) session.qat->begin_step(step);
  // The probe tries what the run will come to.
  if (session.qat && step == kProbeStep) session.qat->is_active = true;
  const auto early = steps_in_backward(session, step);
  session.group.begin_step(step);
  const auto overlapped = overlapped_sum(session, step);
  const std::size_t last_own = rows.last_own();
  for (std::size_t i = 0; i < rows.micro_batches.size(); ++i) {
    const datasets::Batch& micro_batch = rows.micro_batches[i];
    if (rows.is_own(i)) {
      if (overlapped && i == last_own) overlapped->begin();
      report.loss += backward_of(micro_batch, session, step, loss_of, share_prompts);
      note_documents(micro_batch, report);
    }
    dropout.first_row += static_cast<std::uint64_t>(stream_tokens(micro_batch, share_prompts));
    report.tokens += micro_batch.tokens();
    report.trained_tokens += micro_batch.trained_tokens();
  }
  go_along(session, rows, share_prompts);
  if (step != kProbeStep) add_other_ranks(session, report, overlapped.get());
  // Of the weights, so alike on all ranks.
  report.loss += session.trainable.backward_of_penalty(loss_scale(session));
  dropout.training = false;

  if (step == kProbeStep) {
    drop_gradients(session);
    if (session.qat) session.qat->begin_step(session.progress.step);
    return report;
  }

  // 2. Clip, look, update.
  const PhaseClock::Span span = session.clock.measure(Phase::kOptimizer);
  optim::Optimizer& optimizer = session.optimizer;
  if (!early)
    report.grad_norm = clip(session, report);
  else
    report.grad_norm = std::isfinite(report.loss) ? early->finish() : kUnknown;
  report.verdict = judge(session, step, report);
  report.learning_rate = session.schedule.at(step - 1);
  if (report.verdict == Verdict::kUpdate && !early) {
    optimizer.step(report.learning_rate);
    if (session.sharding) session.sharding->follow_parts();
    if (session.trainable.allocation) session.trainable.allocation->after_step(step);
  }
  drop_gradients(session);
  const std::int64_t every = session.options.distributed.check_steps;
  if (every > 0 && step % every == 0) check_ranks(session, step, rows);
  return report;
}

}  // namespace hone::engine
