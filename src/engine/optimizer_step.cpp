#include "engine/optimizer_step.h"

#include "engine/step_meter.h"
#include "optim/clip.h"

namespace hone::engine {
namespace {

Tensor forward(Session& session, const LossOf& loss_of, const datasets::Batch& micro_batch,
               bool share_prompts) {
  const PhaseClock::Span span = session.clock.measure(Phase::kForward);
  return loss_of(to_device(micro_batch, session.decoder.device(), share_prompts));
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
  for (const datasets::Batch& micro_batch : rows.micro_batches) {
    dropout.first_row = static_cast<std::uint64_t>(report.tokens);
    const Tensor loss = forward(session, loss_of, micro_batch, share_prompts);
    const PhaseClock::Span span = session.clock.measure(Phase::kBackward);
    loss.backward();
    report.loss += loss.item<double>();
    note_documents(micro_batch, report);
    report.tokens += micro_batch.tokens();
    report.trained_tokens += micro_batch.trained_tokens();
  }
  report.loss += session.trainable.backward_of_penalty();
  dropout.training = false;

  // 2. Clip, look, update.
  const PhaseClock::Span span = session.clock.measure(Phase::kOptimizer);
  const TrainOptions& train = session.options.train;
  optim::Optimizer& optimizer = session.optimizer;
  if (session.options.report.grad_norm_groups)
    add_group_norms(optimizer.parameters(), report.extra);
  report.grad_norm = optim::clip_grad_norm(optimizer.parameters(), train.max_grad_norm);
  optim::clip_grad_value(optimizer.parameters(), train.max_grad_value);
  check_finite(step, report.loss, report.grad_norm);
  report.learning_rate = session.schedule.at(step - 1);
  optimizer.step(report.learning_rate);
  if (session.trainable.allocation) session.trainable.allocation->after_step(step);
  optimizer.zero_grad();
  return report;
}

}  // namespace hone::engine
