#include "engine/optimizer_step.h"

#include "optim/clip.h"

namespace hone::engine {

StepReport optimizer_step(Session& session, std::int64_t step, const datasets::StepFeed::Step& rows,
                          const LossOf& loss_of) {
  StepReport report;
  report.epoch = rows.epoch;

  // 1. The gradient of one sum over all micro-batches.
  adapters::DropoutState& dropout = *session.trainable.dropout;
  dropout.training = true;
  dropout.step = static_cast<std::uint64_t>(step);
  for (const datasets::Batch& micro_batch : rows.micro_batches) {
    dropout.first_row = static_cast<std::uint64_t>(report.tokens);
    const Tensor loss = loss_of(to_device(micro_batch, session.decoder.device()));
    loss.backward();
    report.loss += loss.item<double>();
    report.tokens += micro_batch.tokens();
    report.trained_tokens += micro_batch.trained_tokens();
  }
  report.loss += session.trainable.backward_of_penalty();
  dropout.training = false;

  // 2. Clip, look, update.
  const TrainOptions& train = session.options.train;
  optim::Optimizer& optimizer = session.optimizer;
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
