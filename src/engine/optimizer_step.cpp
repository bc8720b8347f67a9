#include "engine/optimizer_step.h"

#include <c10/util/Exception.h>

#include <new>

#include "base/error.h"
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

/// Adds the gradient of a micro-batch. @return its loss
double backward_of(const datasets::Batch& micro_batch, const Session& session, std::int64_t step,
                   const LossOf& loss_of) {
  try {
    const Tensor loss = loss_of(to_device(micro_batch, session.decoder.device()));
    loss.backward();
    return loss.item<double>();
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) throw;
    refuse_size(step, micro_batch, error.what());
  }
}

}  // namespace

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
    report.loss += backward_of(micro_batch, session, step, loss_of);
    report.tokens += micro_batch.tokens();
    report.trained_tokens += micro_batch.trained_tokens();
  }
  report.loss += session.trainable.backward_of_penalty();
  dropout.training = false;

  if (step == kProbeStep) {
    session.optimizer.zero_grad();
    return report;
  }

  // 2. Clip, look, update.
  const TrainOptions& train = session.options.train;
  optim::Optimizer& optimizer = session.optimizer;
  report.grad_norm = optim::clip_grad_norm(optimizer.parameters(), train.max_grad_norm);
  optim::clip_grad_value(optimizer.parameters(), train.max_grad_value);
  report.verdict = session.progress.guard.judge(step, report.loss, report.grad_norm);
  report.learning_rate = session.schedule.at(step - 1);
  if (report.verdict == Verdict::kUpdate) optimizer.step(report.learning_rate);
  optimizer.zero_grad();
  return report;
}

}  // namespace hone::engine
