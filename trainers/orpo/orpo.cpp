#include "trainers/orpo/orpo.h"

#include "distributed/exchange.h"
#include "engine/evaluate.h"
#include "engine/optimizer_step.h"
#include "engine/pair_tally.h"
#include "engine/prefix_sharing.h"
#include "loss/cpo.h"
#include "loss/odds_ratio.h"
#include "model/head.h"
#include "trainers/orpo/answers.h"

namespace hone::orpo {
namespace {

using engine::DeviceBatch;
using engine::OrpoOptions;
using torch::Tensor;

/// The part that compares the two answers of each pair.
loss::PairLosses compare(const AnswerLogps& logps, const OrpoOptions& options) {
  if (options.loss_type == "orpo")
    return loss::odds_ratio_loss(logps.chosen_mean(), logps.rejected_mean(), options.beta);
  const loss::CpoSettings settings{.loss_type = options.loss_type,
                                   .beta = options.beta,
                                   .label_smoothing = options.label_smoothing,
                                   .simpo_gamma = options.simpo_gamma,
                                   .alpha = options.alpha};
  const bool averages = loss::cpo_averages(options.loss_type);
  return loss::cpo_loss(averages ? logps.chosen_mean() : logps.chosen,
                        averages ? logps.rejected_mean() : logps.rejected, settings);
}

double nll_weight(const OrpoOptions& options) {
  return options.nll_weight.value_or(options.loss_type == "simpo" ? 0 : 1);
}

/// −log p over all tokens of the chosen documents but each one's first, averaged over the tokens.
Tensor nll_of_everything(const Tensor& logps_M, const Tensor& prompt_logps,
                         const DeviceBatch& batch) {
  const Tensor weighted_documents = torch::repeat_interleave(
      torch::arange(batch.counts_D.numel(), batch.counts_D.options()), batch.counts_D);
  const Tensor documents = torch::cat({weighted_documents, batch.unweighted_documents});
  const Tensor is_chosen = documents.remainder(2) == 0;
  return -torch::cat({logps_M, prompt_logps}).masked_select(is_chosen).mean();
}

/// What a batch of pairs adds up to.
struct Terms {
  AnswerLogps logps;
  loss::PairLosses pairs;
  Tensor entropy_M;  ///< f32, of the distributions that the answers' tokens are of
  Tensor nll;  ///< scalar f32: the sum over the pairs of the chosen answer's; 0 without a weight
};

Terms terms_of(const model::Decoder& decoder, const DeviceBatch& batch,
               const OrpoOptions& options) {
  const bool wants_prompts = options.nll_on == "all" && nll_weight(options) > 0;
  const Tensor hidden = model::hidden_states(decoder, batch.tokens);
  Terms terms;
  const model::TokenLogps tokens =
      model::token_logps_and_entropy(decoder, hidden, batch.rows_M, batch.targets_M);
  terms.entropy_M = tokens.entropy_M;
  terms.logps = answer_logps(tokens.logps_M, batch);
  terms.pairs = compare(terms.logps, options);
  if (wants_prompts) {
    const Tensor prompt_logps =
        model::token_logps(decoder, hidden, batch.unweighted_rows, batch.unweighted_targets);
    const auto pairs = static_cast<double>(terms.pairs.losses.numel());
    terms.nll = nll_of_everything(tokens.logps_M, prompt_logps, batch) * pairs;
  } else {
    terms.nll = -terms.logps.chosen_mean().sum();
  }
  return terms;
}

/// What is reported of the pairs of a step or an evaluation.
class Tally {
 public:
  void add(const Terms& terms) {
    pairs_.add({.chosen = terms.logps.chosen, .rejected = terms.logps.rejected}, terms.pairs);
    entropy_.add(terms.entropy_M);
  }
  void sum_over(const distributed::Group& group) {
    pairs_.sum_over(group);
    entropy_.sum_over(group);
  }
  report::Metrics metrics(const std::string& prefix = "") const {
    report::Metrics metrics = pairs_.metrics(prefix);
    metrics.emplace_back(prefix + "entropy", entropy_.mean());
    return metrics;
  }

 private:
  engine::PairTally pairs_;
  engine::EntropyTally entropy_;
};

std::int64_t pairs_of(const datasets::StepFeed::Step& rows) {
  std::int64_t pairs = 0;
  for (const datasets::Batch& micro_batch : rows.micro_batches) pairs += micro_batch.rows();
  return pairs;
}

}  // namespace

engine::StepReport OrpoTrainer::step(std::int64_t step) {
  // The pairs of this step: the loss is the mean over them, however they are cut into batches.
  const datasets::StepFeed::Step rows = session.feed.step(step - 1);
  const auto pairs = static_cast<double>(pairs_of(rows));
  const OrpoOptions& options = session.options.orpo;

  // L = NLL(chosen) + comparison(chosen, rejected), of one model alone.
  Tally tally;
  double nll = 0;
  engine::StepReport report = engine::optimizer_step(
      session, step, rows,
      [&](const DeviceBatch& batch) {
        const Terms terms = terms_of(session.decoder, batch, options);
        tally.add(terms);
        nll += terms.nll.item<double>();
        return (terms.pairs.losses.sum() + nll_weight(options) * terms.nll) / pairs;
      },
      shares_prompts);
  if (step != engine::kProbeStep) {
    tally.sum_over(session.group);
    distributed::sum_numbers(session.group, {&nll, 1}, "the answers' loss");
  }
  report.add(tally.metrics());
  report.extra.emplace_back("nll_loss", nll / pairs);
  return report;
}

report::Metrics OrpoTrainer::evaluate() {
  const torch::NoGradGuard no_grad;
  const OrpoOptions& options = session.options.orpo;
  const auto found = engine::measure_eval_batches(session, [&](const datasets::Batch& rows) {
    const DeviceBatch batch = engine::to_device(rows, session.decoder.device(), shares_prompts);
    const Terms terms = terms_of(session.decoder, batch, options);
    eval::Numbers numbers;
    for (const Tensor& of_pairs :
         {terms.logps.chosen, terms.logps.rejected, terms.pairs.losses, terms.pairs.chosen_rewards,
          terms.pairs.rejected_rewards, terms.entropy_M, terms.nll})
      engine::put(of_pairs, numbers);
    return numbers;
  });
  Tally tally;
  double loss = 0, nll = 0, pairs = 0;
  for (const eval::Numbers& numbers : found) {
    engine::NumbersReader next(numbers);
    Terms terms;
    for (Tensor* of_pairs :
         {&terms.logps.chosen, &terms.logps.rejected, &terms.pairs.losses,
          &terms.pairs.chosen_rewards, &terms.pairs.rejected_rewards, &terms.entropy_M, &terms.nll})
      *of_pairs = next.tensor();
    tally.add(terms);
    loss += terms.pairs.losses.sum().item<double>();
    nll += terms.nll.item<double>();
    pairs += static_cast<double>(terms.pairs.losses.size(0));
  }
  report::Metrics metrics = {{"eval_loss", (loss + nll_weight(options) * nll) / pairs},
                             {"eval_nll_loss", nll / pairs}};
  const report::Metrics more = tally.metrics("eval_");
  metrics.insert(metrics.end(), more.begin(), more.end());
  return metrics;
}

ExitCode run(const config::Loaded<engine::RunOptions>& config, const engine::Placement& placement,
             const engine::ResumeRequest& resume) {
  engine::Session session = engine::open_session(config, placement, resume);
  const bool shares = engine::shares_prompts(session, session.options.orpo.prefix_sharing);
  return engine::run_training(OrpoTrainer{session, shares}, resume);
}

}  // namespace hone::orpo
