#include "trainers/sft/sft.h"

#include "engine/evaluate.h"
#include "engine/optimizer_step.h"
#include "loss/cross_entropy.h"
#include "model/head.h"

namespace hone::sft {

using torch::Tensor;

namespace {

/// What a micro-batch adds to the step's loss.
Tensor loss_of(const engine::TrainOptions& options, const model::Decoder& decoder,
               const engine::DeviceBatch& batch, double total_weight) {
  const Tensor hidden = model::hidden_states(decoder, batch.tokens);
  const double smoothing = options.label_smoothing_factor;
  if (smoothing == 0 && options.z_loss == 0) {
    const Tensor logps = model::token_logps(decoder, hidden, batch.rows_M, batch.targets_M);
    const Tensor weights =
        options.loss_type == "dft" ? loss::dft_weights(logps, batch.weights_M) : batch.weights_M;
    return loss::weighted_nll(logps, weights, total_weight);
  }
  const model::TokenDistribution tokens =
      model::token_distribution(decoder, hidden, batch.rows_M, batch.targets_M);
  const Tensor weights = options.loss_type == "dft"
                             ? loss::dft_weights(tokens.logps_M, batch.weights_M)
                             : batch.weights_M;
  const Tensor nll = loss::smoothed_nll(tokens.logps_M, tokens.logsumexp_M, tokens.mean_logit_M,
                                        weights, total_weight, smoothing);
  return nll + options.z_loss * loss::z_loss(tokens.logsumexp_M, batch.weights_M, total_weight);
}

}  // namespace

engine::StepReport SftTrainer::step(std::int64_t step) {
  // The rows of this step: a function of its number alone.
  const datasets::StepFeed::Step rows = session.feed.step(step - 1);
  double total_weight = 0;
  for (const datasets::Batch& micro_batch : rows.micro_batches)
    total_weight += micro_batch.trained_weight();

  // Each micro-batch adds its part of one mean: L = −Σ w·log p / Σ w over the whole step.
  return engine::optimizer_step(session, step, rows, [&](const engine::DeviceBatch& batch) {
    return loss_of(session.options.train, session.decoder, batch, total_weight);
  });
}

report::Metrics SftTrainer::evaluate() {
  return engine::evaluate_loss(session.decoder, session.eval_data,
                               session.options.eval.tokens_per_device_batch,
                               engine::crew_of(session));
}

ExitCode run(const config::Loaded<engine::RunOptions>& config, const engine::Placement& placement,
             const engine::ResumeRequest& resume) {
  engine::Session session = engine::open_session(config, placement, resume);
  return engine::run_training(SftTrainer{session}, resume);
}

}  // namespace hone::sft
