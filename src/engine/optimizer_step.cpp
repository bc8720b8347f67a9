#include "engine/optimizer_step.h"

#include <c10/util/Exception.h>

#include <new>
#include <string_view>

#include "base/error.h"
#include "engine/step_meter.h"
#include "optim/clip.h"

namespace hone::engine {
namespace {

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
  return loss_of(to_device(micro_batch, session.decoder.device(), share_prompts));
}

/// Adds the gradient of a micro-batch. @return its loss
double backward_of(const datasets::Batch& micro_batch, Session& session, std::int64_t step,
                   const LossOf& loss_of, bool share_prompts) {
  try {
    const Tensor loss = forward(session, loss_of, micro_batch, share_prompts);
    const PhaseClock::Span span = session.clock.measure(Phase::kBackward);
    loss.backward();
    return loss.item<double>();
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) throw;
    refuse_size(step, micro_batch, error.what());
  }
}

void note_documents(const datasets::Batch& micro_batch, StepReport& report) {
  for (std::size_t d = 1; d < micro_batch.cu_seqlens.size(); ++d)
    report.document_lengths.push_back(micro_batch.cu_seqlens[d] - micro_batch.cu_seqlens[d - 1]);
}

}  // namespace

StepReport optimizer_step(Session& session, std::int64_t step, const datasets::StepFeed::Step& rows,
                          const LossOf& loss_of, bool share_prompts) {
  StepReport report;
  report.epoch = rows.epoch;

  // 1. The gradient of one sum over all micro-batches.
  adapters::DropoutState& dropout = *session.trainable.dropout;
  dropout.training = true;
  dropout.step = static_cast<std::uint64_t>(step);
  if (session.qat) session.qat->begin_step(step);
  // The probe tries what the run will come to.
  if (session.qat && step == kProbeStep) session.qat->is_active = true;
  for (const datasets::Batch& micro_batch : rows.micro_batches) {
    dropout.first_row = static_cast<std::uint64_t>(report.tokens);
    report.loss += backward_of(micro_batch, session, step, loss_of, share_prompts);
    note_documents(micro_batch, report);
    report.tokens += micro_batch.tokens();
    report.trained_tokens += micro_batch.trained_tokens();
  }
  report.loss += session.trainable.backward_of_penalty();
  dropout.training = false;

  if (step == kProbeStep) {
    session.optimizer.zero_grad();
    if (session.qat) session.qat->begin_step(session.progress.step);
    return report;
  }

  // 2. Clip, look, update.
  const PhaseClock::Span span = session.clock.measure(Phase::kOptimizer);
  const TrainOptions& train = session.options.train;
  optim::Optimizer& optimizer = session.optimizer;
  if (session.options.report.grad_norm_groups)
    add_group_norms(optimizer.parameters(), report.extra);
  report.grad_norm = optim::clip_grad_norm(optimizer.parameters(), train.max_grad_norm);
  optim::clip_grad_value(optimizer.parameters(), train.max_grad_value);
  report.verdict = session.progress.guard.judge(step, report.loss, report.grad_norm);
  report.learning_rate = session.schedule.at(step - 1);
  if (report.verdict == Verdict::kUpdate) {
    optimizer.step(report.learning_rate);
    if (session.trainable.allocation) session.trainable.allocation->after_step(step);
  }
  optimizer.zero_grad();
  return report;
}

}  // namespace hone::engine
