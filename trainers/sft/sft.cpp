#include "trainers/sft/sft.h"

#include "base/log.h"
#include "engine/batch.h"
#include "engine/evaluate.h"
#include "loss/cross_entropy.h"
#include "model/head.h"
#include "optim/clip.h"

namespace hone::sft {

using torch::Tensor;

engine::StepReport SftTrainer::step(std::int64_t step) {
  // 1. The rows of this step: a function of its number alone.
  const datasets::StepFeed::Step rows = feed.step(step - 1);
  engine::StepReport report;
  double total_weight = 0;
  for (const datasets::Batch& micro_batch : rows.micro_batches) {
    total_weight += micro_batch.trained_weight();
    report.trained_tokens += micro_batch.trained_tokens();
  }

  // 2. Each micro-batch adds its part of one mean: L = −Σ w·log p / Σ w over the whole step.
  trainable.dropout->training = true;
  trainable.dropout->step = static_cast<std::uint64_t>(step);
  for (const datasets::Batch& micro_batch : rows.micro_batches) {
    trainable.dropout->first_row = static_cast<std::uint64_t>(report.tokens);
    const engine::DeviceBatch batch = engine::to_device(micro_batch, decoder.device());
    const Tensor hidden = model::hidden_states(decoder, batch.tokens);
    const Tensor logps = model::token_logps(decoder, hidden, batch.rows_M, batch.targets_M);
    const Tensor weights = options.train.loss_type == "dft"
                               ? loss::dft_weights(logps, batch.weights_M)
                               : batch.weights_M;
    const Tensor loss = loss::weighted_nll(logps, weights, total_weight);
    loss.backward();
    report.loss += loss.item<double>();
    report.tokens += micro_batch.tokens();
  }
  report.loss += trainable.backward_of_penalty();
  trainable.dropout->training = false;

  // 3. Clip, update.
  report.grad_norm = optim::clip_grad_norm(optimizer.parameters(), options.train.max_grad_norm);
  optim::clip_grad_value(optimizer.parameters(), options.train.max_grad_value);
  engine::check_finite(step, report.loss, report.grad_norm);
  report.learning_rate = schedule.at(step - 1);
  optimizer.step(report.learning_rate);
  optimizer.zero_grad();
  report.epoch = rows.epoch;
  return report;
}

report::Metrics SftTrainer::evaluate() {
  report::Metrics metrics = suite.measure(decoder);
  if (eval_data.empty()) return metrics;
  const report::Metrics loss =
      engine::evaluate_loss(decoder, eval_data, options.eval.tokens_per_device_batch);
  metrics.insert(metrics.begin(), loss.begin(), loss.end());
  return metrics;
}

void SftTrainer::save(std::int64_t step) {
  engine::save_checkpoint(options, step, trainable, optimizer, identity());
}

nlohmann::json SftTrainer::identity() const {
  return engine::identity_of(options, base_sha256.get(), train_data.info().sha256);
}

}  // namespace hone::sft
