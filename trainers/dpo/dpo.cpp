#include "trainers/dpo/dpo.h"

#include <algorithm>
#include <vector>

#include "distributed/place.h"
#include "engine/document_logps.h"
#include "engine/optimizer_step.h"
#include "trainers/dpo/pairs.h"

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
  const Tensor expected = engine::token_spread(decoder, policy.hidden_NH, batch).log_sum_squares_M;
  const Tensor mean =
      engine::sums_by_document(policy.tokens_M.detach() - expected, batch) / batch.counts_D;
  return loss::wpo_weights(mean.view({-1, 2}).select(1, 0), mean.view({-1, 2}).select(1, 1));
}

/// A loss of the whole batch's pairs can be cut into micro-batches only where it is a sum of
/// theirs.
void check_cut(const engine::RunOptions& options) {
  const std::int64_t parts =
      options.train.gradient_accumulation_steps * distributed::find_place().world;
  const auto compares_pairs = [](const std::string& type) { return type.starts_with("aot"); };
  HONE_CHECK(
      ConfigError, parts == 1 || std::ranges::none_of(options.dpo.loss_type, compares_pairs),
      "dpo.loss_type: aot compares the pairs of a step with one another, so a step cannot be "
      "cut into {} micro-batches; set train.gradient_accumulation_steps: 1, train in one process, "
      "and "
      "raise train.per_device_train_batch_size",
      parts);
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

  // 2. L = mean over the step's pairs of −log σ(β [log π_w/ref_w − log π_l/ref_l]), or its kin.
  PairTally tally;
  auto next = reference_logps.begin();
  engine::StepReport report =
      engine::optimizer_step(session, step, rows, [&](const engine::DeviceBatch& batch) {
        const engine::ResponseLogps policy = engine::response_logps(session.decoder, batch);
        const loss::PairLogps logps = pair_logps(policy.sums_D, *next++, batch);
        const loss::PairLosses of_pairs = loss::dpo_loss(logps, settings);
        tally.add(logps, of_pairs);
        const Tensor losses = dpo.use_weighting
                                  ? of_pairs.losses * policy_weights(session.decoder, batch, policy)
                                  : of_pairs.losses;
        return losses.sum() / pairs;
      });
  if (step != engine::kProbeStep) tally.sum_over(session.group);
  const report::Metrics metrics = tally.metrics();
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
  // All pairs' log-probabilities first: then the loss is one mean over them, whatever its kind.
  std::vector<loss::PairLogps> parts;
  std::vector<Tensor> weights;
  double entropy = 0, tokens = 0;
  engine::for_each_batch(
      session.eval_data, options.eval.tokens_per_device_batch, [&](const datasets::Batch& rows) {
        const engine::DeviceBatch batch = engine::to_device(rows, session.decoder.device());
        const engine::ResponseLogps policy = engine::response_logps(session.decoder, batch);
        parts.push_back(
            pair_logps(policy.sums_D, reference.logps(rows, engine::RowsOf::kEval), batch));
        if (options.dpo.use_weighting)
          weights.push_back(policy_weights(session.decoder, batch, policy));
        entropy += engine::token_spread(session.decoder, policy.hidden_NH, batch)
                       .entropy_M.sum()
                       .item<double>();
        tokens += static_cast<double>(batch.rows_M.size(0));
      });
  const loss::PairLogps all = joined(parts);
  const loss::PairLosses losses = loss::dpo_loss(all, settings_of(options.dpo));
  const Tensor weighed = weights.empty() ? losses.losses : losses.losses * torch::cat(weights);
  PairTally tally;
  tally.add(all, losses);
  report::Metrics metrics = {{"eval_loss", weighed.mean().item<double>()}};
  const report::Metrics more = tally.metrics("eval_");
  metrics.insert(metrics.end(), more.begin(), more.end());
  metrics.emplace_back("eval_entropy", entropy / tokens);
  return metrics;
}

ExitCode run(const config::Loaded<engine::RunOptions>& config, const engine::Placement& placement,
             const engine::ResumeRequest& resume) {
  check_cut(config.options);
  engine::Session session = engine::open_session(config, placement);
  engine::Reference reference(session, config, config.options.dpo.sync_ref_model);
  return engine::run_training(DpoTrainer{session, reference}, resume);
}

}  // namespace hone::dpo
