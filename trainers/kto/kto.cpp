#include "trainers/kto/kto.h"

#include <utility>
#include <vector>

#include "engine/document_logps.h"
#include "engine/evaluate.h"
#include "engine/optimizer_step.h"
#include "trainers/kto/answers.h"

namespace hone::kto {
namespace {

using engine::KtoOptions;
using engine::Session;

/// A micro-batch of answers, with what is known of it before the policy learns from it. What rows
/// of a micro-batch are measured against is theirs alone (kl_scope: micro_batch) or the step's.
struct Answers {
  datasets::Batch own;                    ///< each row's own document
  Tensor desirable = {}, reference = {};  ///< [R]
  Tensor lent_policy = {},
         lent_reference = {};  ///< [R], of the answers lent; undefined where none are
  Tensor rewards = {};         ///< [R], before the step; undefined but for BCO
  Tensor measure = {};         ///< scalar: KTO's baseline, BCO's mean reward
};

/// What a rank tells the others of rows that it evaluates.
constexpr Tensor Answers::*kOfRows[] = {&Answers::desirable, &Answers::reference,
                                        &Answers::lent_policy, &Answers::lent_reference,
                                        &Answers::rewards};

/// Without gradient and without dropout.
engine::ResponseLogps policy_says(const Session& session, const datasets::Batch& batch) {
  const torch::NoGradGuard no_grad;
  return engine::response_logps(session.decoder,
                                engine::to_device(batch, session.decoder.device()));
}

Answers look_up(const datasets::Batch& batch, const Session& session,
                const engine::Reference& reference, engine::RowsOf rows) {
  const Tensor logps = reference.logps(batch, rows).view({batch.rows(), -1});
  Answers answers = {.own = documents_of(batch, 0),
                     .desirable = labels_of(batch, session.decoder.device()),
                     .reference = logps.select(1, 0)};
  const KtoOptions& kto = session.options.kto;
  if (kto.loss_type == "bco")
    answers.rewards = (policy_says(session, answers.own).sums_D - answers.reference) * kto.beta;
  if (logps.size(1) == 1) return answers;
  answers.lent_policy = policy_says(session, documents_of(batch, 1)).sums_D;
  answers.lent_reference = logps.select(1, 1);
  return answers;
}

/// What is measured of a step's answers is a function of all of them, so that each rank tells the
/// others what it has looked up.
void tell_other_ranks(const Session& session, const datasets::StepFeed::Step& rows,
                      std::vector<Answers>& all) {
  const std::string& loss_type = session.options.kto.loss_type;
  if (session.group.is_alone()) return;
  std::vector<Tensor Answers::*> told;
  if (loss_type == "kto") told = {&Answers::lent_policy, &Answers::lent_reference};
  if (loss_type == "bco") told = {&Answers::rewards};
  for (Tensor Answers::*member : told) {
    std::vector<Tensor> numbers;  // zeros where another rank has the numbers
    std::vector<std::int64_t> sizes;
    for (std::size_t i = 0; i < all.size(); ++i) {
      sizes.push_back(all[i].own.rows());
      numbers.push_back(rows.is_own(i) ? all[i].*member
                                       : torch::zeros({sizes.back()}, session.decoder.device()));
    }
    const Tensor joined = torch::cat(numbers);
    session.group.all_reduce(joined, "the answers' rewards");
    const std::vector<Tensor> parts = joined.split_with_sizes(sizes);
    for (std::size_t i = 0; i < all.size(); ++i) all[i].*member = parts[i];
  }
}

/// Groups of micro-batches that share what they are measured by, in their order.
std::vector<std::vector<Answers*>> scopes_of(std::vector<Answers>& all, const KtoOptions& kto) {
  std::vector<std::vector<Answers*>> scopes;
  for (Answers& answers : all) {
    if (scopes.empty() || kto.kl_scope == "micro_batch") scopes.emplace_back();
    scopes.back().push_back(&answers);
  }
  return scopes;
}

Tensor baseline_of(const std::vector<Answers*>& scope) {
  std::vector<Tensor> policy, reference;
  for (const Answers* answers : scope) {
    policy.push_back(answers->lent_policy);
    reference.push_back(answers->lent_reference);
  }
  return loss::kto_baseline(torch::cat(policy), torch::cat(reference));
}

/// Takes the rewards of the scope into the running moments. @return their mean
Tensor mean_reward(const std::vector<Answers*>& scope, const Session& session, Tensor& moments) {
  std::vector<Tensor> rewards;
  for (const Answers* answers : scope) rewards.push_back(answers->rewards);
  loss::RewardMoments running = {moments[0].item<double>(), moments[1].item<double>(),
                                 moments[2].item<double>()};
  running.update(torch::cat(rewards));
  moments.copy_(torch::tensor({running.mean, running.variance, running.count}, torch::kFloat64));
  return torch::tensor(running.mean, torch::kFloat32).to(session.decoder.device());
}

/// Finds what each micro-batch is measured by. @return its mean over them: KTO's estimate of the KL
double measure(std::vector<Answers>& all, const Session& session, Tensor& moments) {
  const KtoOptions& kto = session.options.kto;
  double sum = 0;
  for (const std::vector<Answers*>& scope : scopes_of(all, kto)) {
    Tensor found = torch::zeros({}, session.decoder.device());
    if (kto.loss_type == "kto") found = baseline_of(scope);
    if (kto.loss_type == "bco") found = mean_reward(scope, session, moments);
    for (Answers* answers : scope) {
      answers->measure = found;
      sum += found.item<double>();
    }
  }
  return sum / static_cast<double>(all.size());
}

loss::RowLosses losses_of(const Tensor& policy, const Answers& answers, const KtoOptions& kto) {
  const loss::KtoSettings settings = {.loss_type = kto.loss_type,
                                      .beta = kto.beta,
                                      .desirable_weight = kto.desirable_weight,
                                      .undesirable_weight = kto.undesirable_weight};
  if (kto.loss_type != "bco")
    return loss::kto_loss(policy, answers.reference, answers.desirable, answers.measure, settings);
  loss::RowLosses losses = loss::bco_loss(policy, answers.reference, answers.desirable, kto.beta,
                                          answers.measure.item<double>());
  losses.losses =
      losses.losses * torch::where(answers.desirable, kto.desirable_weight, kto.undesirable_weight);
  return losses;
}

/// What the measure is called in metrics.
const char* name_of_measure(const KtoOptions& kto) {
  return kto.loss_type == "kto" ? "kl" : kto.loss_type == "bco" ? "reward_mean" : nullptr;
}

}  // namespace

engine::StepReport KtoTrainer::step(std::int64_t step) {
  // 1. The answers of this step, and what they are measured by: z₀ of the paper.
  datasets::StepFeed::Step rows = session.feed.step(step - 1);
  std::vector<Answers> all;
  double count = 0;
  // Where a pass takes all ranks, who has fewer micro-batches goes along.
  for (std::size_t i = 0; i < session.passes_left(rows); ++i)
    look_up(rows.micro_batches.front(), session, reference, engine::RowsOf::kTrain);
  for (std::size_t i = 0; i < rows.micro_batches.size(); ++i) {
    datasets::Batch& micro_batch = rows.micro_batches[i];
    all.push_back(rows.is_own(i) ? look_up(micro_batch, session, reference, engine::RowsOf::kTrain)
                                 : Answers{.own = documents_of(micro_batch, 0)});
    micro_batch = all.back().own;
    count += static_cast<double>(micro_batch.rows());
  }
  if (step != engine::kProbeStep) tell_other_ranks(session, rows, all);
  Tensor moved = moments.clone();
  const double measured = measure(all, session, moved);

  // 2. L = mean over the step's answers of λ_D (1 − σ(r − z₀)), or λ_U (1 − σ(z₀ − r)).
  AnswerTally tally;
  engine::EntropyTally entropy;
  std::vector<const Answers*> own;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (rows.is_own(i)) own.push_back(&all[i]);
  auto next = own.begin();
  engine::StepReport report =
      engine::optimizer_step(session, step, rows, [&](const engine::DeviceBatch& batch) {
        const Answers& answers = **next++;
        const engine::ResponseLogps policy = engine::response_logps(session.decoder, batch);
        const loss::RowLosses losses = losses_of(policy.sums_D, answers, session.options.kto);
        tally.add(policy.sums_D, answers.desirable, losses);
        entropy.add(policy.entropy_M);
        return losses.losses.sum() / count;
      });
  // The moments move as the weights do: not in a probe or a step that is skipped or left.
  if (step != engine::kProbeStep && report.verdict == engine::Verdict::kUpdate)
    moments.copy_(moved);
  if (step != engine::kProbeStep) {
    tally.sum_over(session.group);
    entropy.sum_over(session.group);
  }
  report.add(tally.metrics());
  report.extra.emplace_back("entropy", entropy.mean());
  if (const char* name = name_of_measure(session.options.kto))
    report.extra.emplace_back(name, measured);
  return report;
}

report::Metrics KtoTrainer::evaluate() {
  const torch::NoGradGuard no_grad;
  const KtoOptions& kto = session.options.kto;
  const auto found = engine::measure_eval_batches(session, [&](const datasets::Batch& rows) {
    const Answers answers = look_up(rows, session, reference, engine::RowsOf::kEval);
    const engine::ResponseLogps policy = policy_says(session, answers.own);
    eval::Numbers numbers;
    for (const Tensor& of_rows : {policy.sums_D, policy.entropy_M}) engine::put(of_rows, numbers);
    for (Tensor Answers::*member : kOfRows)
      engine::put((answers.*member).defined() ? answers.*member : torch::empty({0}), numbers);
    return numbers;
  });
  std::vector<Answers> all;
  std::vector<Tensor> policy_sums, entropies;
  for (const eval::Numbers& numbers : found) {
    engine::NumbersReader next(numbers);
    policy_sums.push_back(next.tensor());
    entropies.push_back(next.tensor());
    all.emplace_back();
    for (Tensor Answers::*member : kOfRows) all.back().*member = next.tensor();
    all.back().desirable = all.back().desirable.to(torch::kBool);
  }
  Tensor unmoved = moments.clone();  // an evaluation leaves nothing behind
  const double measured = measure(all, session, unmoved);

  AnswerTally tally;
  engine::EntropyTally entropy;
  double total = 0, count = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].measure = all[i].measure.to(torch::kCPU);
    const loss::RowLosses losses = losses_of(policy_sums[i], all[i], kto);
    tally.add(policy_sums[i], all[i].desirable, losses);
    entropy.add(entropies[i]);
    total += losses.losses.sum().item<double>();
    count += static_cast<double>(policy_sums[i].size(0));
  }
  report::Metrics metrics = {{"eval_loss", total / count}};
  const report::Metrics more = tally.metrics("eval_");
  metrics.insert(metrics.end(), more.begin(), more.end());
  metrics.emplace_back("eval_entropy", entropy.mean());
  if (const char* name = name_of_measure(kto))
    metrics.emplace_back(std::string("eval_") + name, measured);
  return metrics;
}

ExitCode run(const config::Loaded<engine::RunOptions>& config, const engine::Placement& placement,
             const engine::ResumeRequest& resume) {
  engine::Session session = engine::open_session(config, placement, resume);
  engine::Reference reference(session, config);
  const loss::RewardMoments none;
  const Tensor moments = torch::tensor({none.mean, none.variance, none.count}, torch::kFloat64);
  if (config.options.kto.loss_type == "bco") session.state.emplace_back("reward_moments", moments);
  return engine::run_training(KtoTrainer{session, reference, moments}, resume);
}

}  // namespace hone::kto
