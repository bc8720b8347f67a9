#include "trainers/dpo/dpo.h"

#include <optional>
#include <vector>

#include "distributed/place.h"
#include "engine/document_logps.h"
#include "engine/evaluate.h"
#include "engine/optimizer_step.h"
#include "engine/pair_tally.h"
#include "engine/prefix_sharing.h"
#include "engine/step_preview.h"
#include "trainers/dpo/pairs.h"
#include "trainers/dpo/step_slopes.h"

namespace hone::dpo {
namespace {

loss::DpoSettings settings_of(const engine::DpoOptions& options) {
  loss::DpoSettings settings = {.loss_type = options.loss_type,
                                .loss_weights = options.loss_weights,
                                .beta = options.beta,
                                .label_smoothing = options.label_smoothing,
                                .f_divergence_type = options.f_divergence_type,
                                .f_alpha_divergence_coef = options.f_alpha_divergence_coef,
                                .discopop_tau = options.discopop_tau};
  if (options.rpo_alpha > 0) {
    settings.loss_weights.resize(settings.loss_type.size(), 1.0);
    settings.loss_type.emplace_back("sft");
    settings.loss_weights.push_back(options.rpo_alpha);
  }
  return settings;
}

/// [P] how likely the policy itself is to give both answers (WPO).
Tensor policy_weights(const model::Decoder& decoder, const engine::DeviceBatch& batch,
                      const engine::ResponseLogps& policy) {
  const Tensor expected = engine::log_sum_squares(decoder, policy.hidden_NH, batch);
  const Tensor mean =
      engine::sums_by_document(policy.tokens_M.detach() - expected, batch) / batch.counts_D;
  return loss::wpo_weights(mean.view({-1, 2}).select(1, 0), mean.view({-1, 2}).select(1, 1));
}

/// The slopes of a loss that compares the step's pairs, where the policy stands before it learns
/// from any of them.
StepSlopes slopes_of_step(const DpoTrainer& trainer, std::int64_t step,
                          const datasets::StepFeed::Step& rows,
                          const std::vector<Tensor>& reference_logps,
                          const loss::DpoSettings& settings) {
  engine::Session& session = trainer.session;
  std::vector<Tensor> policy_logps, weights;
  std::vector<loss::PairLogps> parts;
  engine::preview_step(
      session, step, rows,
      [&](const engine::DeviceBatch& batch) {
        const engine::ResponseLogps policy = engine::response_logps(session.decoder, batch);
        if (session.options.dpo.use_weighting)
          weights.push_back(policy_weights(session.decoder, batch, policy));
        const torch::AutoGradMode differentiable(true);
        policy_logps.push_back(policy.sums_D.detach().requires_grad_());
        parts.push_back(pair_logps(policy_logps.back(), reference_logps[parts.size()], batch));
      },
      trainer.shares_prompts);
  const auto of_all = weights.empty() ? std::nullopt : std::optional(torch::cat(weights));
  return slopes_of(policy_logps, parts, of_all, settings);
}

/// The noise of NEFTune is there while gradients are wanted, so a look at the whole step before it
/// would see another policy.
void check_cut(const engine::RunOptions& options) {
  HONE_CHECK(ConfigError,
             options.train.gradient_accumulation_steps == 1 ||
                 options.train.neftune_noise_alpha == 0 || !compares_pairs(options.dpo.loss_type),
             "dpo.loss_type: aot compares the pairs of a step with one another, and with "
             "train.neftune_noise_alpha it cannot be cut into {} micro-batches; set "
             "train.gradient_accumulation_steps: 1 and raise train.per_device_train_batch_size",
             options.train.gradient_accumulation_steps);
  const int world = distributed::find_place().world;
  HONE_CHECK(ConfigError, world == 1 || !compares_pairs(options.dpo.loss_type),
             "dpo.loss_type: aot compares the pairs of a step with one another, which {} processes "
             "do not tell each other; train in one",
             world);
}

}  // namespace

engine::StepReport DpoTrainer::step(std::int64_t step) {
  const engine::DpoOptions& dpo = session.options.dpo;
  loss::DpoSettings settings = settings_of(dpo);

  // 1. The pairs of this step, and what the reference says of them.
  const datasets::StepFeed::Step rows = session.feed.step(step - 1);
  settings.mean_chosen_tokens = mean_chosen_tokens(rows.micro_batches);
  double pairs = 0;
  std::vector<Tensor> reference_logps;  // [D] of each micro-batch that this rank computes
  for (std::size_t i = 0; i < rows.micro_batches.size(); ++i) {
    const datasets::Batch& micro_batch = rows.micro_batches[i];
    if (rows.is_own(i))
      reference_logps.push_back(reference.logps(micro_batch, engine::RowsOf::kTrain));
    pairs += static_cast<double>(micro_batch.rows());
  }
  // Where a pass takes all ranks, who has fewer micro-batches goes along.
  for (std::size_t i = 0; i < session.passes_left(rows); ++i)
    reference.logps(rows.micro_batches.front(), engine::RowsOf::kTrain);

  // 2. L = mean over the step's pairs of −log σ(β [log π_w/ref_w − log π_l/ref_l]), or its kin.
  std::optional<StepSlopes> slopes;
  if (compares_pairs(dpo.loss_type) && rows.micro_batches.size() > 1)
    slopes = slopes_of_step(*this, step, rows, reference_logps, settings);
  engine::PairTally tally;
  engine::EntropyTally entropy;
  std::size_t next = 0;
  engine::StepReport report = engine::optimizer_step(
      session, step, rows,
      [&](const engine::DeviceBatch& batch) {
        const std::size_t i = next++;
        const engine::ResponseLogps policy = engine::response_logps(session.decoder, batch);
        const loss::PairLogps logps = pair_logps(policy.sums_D, reference_logps[i], batch);
        const loss::PairLosses of_pairs = loss::dpo_loss(logps, settings);
        tally.add(logps, of_pairs);
        entropy.add(policy.entropy_M);
        if (slopes) return slopes->part(i, policy.sums_D);
        const Tensor losses = dpo.use_weighting
                                  ? of_pairs.losses * policy_weights(session.decoder, batch, policy)
                                  : of_pairs.losses;
        return losses.sum() / pairs;
      },
      shares_prompts);
  if (step != engine::kProbeStep) {
    tally.sum_over(session.group);
    entropy.sum_over(session.group);
  }
  report::Metrics metrics = tally.metrics();
  metrics.emplace_back("entropy", entropy.mean());
  report.add(metrics);
  if (step == engine::kProbeStep) return report;
  if (report.verdict == engine::Verdict::kUpdate) alarms.watch(step, metrics, dpo.beta);

  // 3. The reference may follow.
  if (dpo.sync_ref_model && step % dpo.ref_model_sync_steps == 0)
    reference.follow(session.trainable, dpo.ref_model_mixup_alpha);
  return report;
}

report::Metrics DpoTrainer::evaluate() {
  const torch::NoGradGuard no_grad;
  const engine::RunOptions& options = session.options;
  const auto found = engine::measure_eval_batches(session, [&](const datasets::Batch& rows) {
    const engine::DeviceBatch batch =
        engine::to_device(rows, session.decoder.device(), shares_prompts);
    const engine::ResponseLogps policy = engine::response_logps(session.decoder, batch);
    eval::Numbers numbers;
    put(pair_logps(policy.sums_D, reference.logps(rows, engine::RowsOf::kEval), batch), numbers);
    if (options.dpo.use_weighting)
      engine::put(policy_weights(session.decoder, batch, policy), numbers);
    engine::put(policy.entropy_M, numbers);
    return numbers;
  });
  // All pairs' log-probabilities first: then the loss is one mean over them, whatever its kind.
  std::vector<loss::PairLogps> parts;
  std::vector<Tensor> weights;
  engine::EntropyTally entropy;
  for (const eval::Numbers& numbers : found) {
    engine::NumbersReader next(numbers);
    parts.push_back(take_pair_logps(next));
    if (options.dpo.use_weighting) weights.push_back(next.tensor());
    entropy.add(next.tensor());
  }
  const loss::PairLogps all = joined(parts);
  const loss::PairLosses losses = loss::dpo_loss(all, settings_of(options.dpo));
  const Tensor weighed = weights.empty() ? losses.losses : losses.losses * torch::cat(weights);
  engine::PairTally tally;
  tally.add(all, losses);
  report::Metrics metrics = {{"eval_loss", weighed.mean().item<double>()}};
  const report::Metrics more = tally.metrics("eval_");
  metrics.insert(metrics.end(), more.begin(), more.end());
  metrics.emplace_back("eval_entropy", entropy.mean());
  return metrics;
}

ExitCode run(const config::Loaded<engine::RunOptions>& config, const engine::Placement& placement,
             const engine::ResumeRequest& resume) {
  check_cut(config.options);
  engine::Session session = engine::open_session(config, placement, resume);
  const bool shares = engine::shares_prompts(session, session.options.dpo.prefix_sharing);
  engine::Reference reference(
      session, config, {.follows = session.options.dpo.sync_ref_model, .shares_prompts = shares});
  return engine::run_training(DpoTrainer{session, reference, shares}, resume);
}

}  // namespace hone::dpo
