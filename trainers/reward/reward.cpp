#include "trainers/reward/reward.h"

#include <algorithm>

#include "base/error.h"
#include "engine/evaluate.h"
#include "engine/load_options.h"
#include "engine/optimizer_step.h"
#include "engine/prefix_sharing.h"
#include "model/head.h"
#include "model/load.h"

namespace hone::reward {
namespace {

/// Tokens of a row that carry weight.
std::int64_t trained_tokens(const datasets::Batch& batch, std::size_t row) {
  const auto border = [&](std::int64_t document) {
    return batch.weights.begin() + batch.cu_seqlens[static_cast<std::size_t>(document)];
  };
  return std::count_if(border(batch.cu_rows[row]), border(batch.cu_rows[row + 1]),
                       [](float weight) { return weight > 0; });
}

/// Refuses rows that the objective is not for, by name.
void check_rows(const Objective& objective, const datasets::Batch& batch,
                const datasets::Dataset& data, std::int64_t outputs) {
  for (std::size_t r = 0; r < batch.places.size(); ++r) {
    const std::int64_t documents = batch.cu_rows[r + 1] - batch.cu_rows[r];
    const std::int64_t values = batch.cu_values[r + 1] - batch.cu_values[r];
    HONE_CHECK(DataError, documents == objective.documents,
               "{}: reward.loss_type: {} learns from {}, and this row is none; choose the "
               "loss_type that the data is for: bradley_terry (chosen and rejected), regression "
               "(score) or stepwise (labels)",
               data.where(batch.places[r]), objective.name, objective.rows);
    const std::int64_t expected = objective.values(trained_tokens(batch, r), outputs);
    HONE_CHECK(DataError, values == expected,
               "{}: the row has {} numbers, expected {}: a score for each output of the head "
               "(model.num_labels is {}), or a label for each step; rows that data.overlong: "
               "truncate cut have lost steps",
               data.where(batch.places[r]), values, expected, outputs);
  }
}

/// What the head says at the places that are judged. @return [M, A] f32
Tensor judged(const model::Decoder& decoder, const Objective& objective,
              const engine::DeviceBatch& batch) {
  return model::scores(decoder, model::hidden_states(decoder, batch.tokens),
                       objective.places(batch));
}

/// What the rows say of them. [values] f32
Tensor values_of(const engine::DeviceBatch& batch) {
  return torch::tensor(batch.host->values, torch::kFloat32).to(batch.rows_M.device());
}

/// A reward model has a head `score`: the base's own, or a fresh one; an adapter is trained with
/// it.
config::Loaded<engine::RunOptions> with_head(config::Loaded<engine::RunOptions> config) {
  engine::RunOptions& options = config.options;
  const model::Spec spec = model::load_spec(engine::resolve_model(options.model.base));
  if (spec.num_labels == 0 && options.model.num_labels == 0) options.model.num_labels = 1;
  std::vector<std::string>& saved = options.adapter.modules_to_save;
  if (options.adapter.trains_adapter() && std::ranges::count(saved, "score") == 0)
    saved.push_back("score");
  return config;
}

}  // namespace

engine::StepReport RewardTrainer::step(std::int64_t step) {
  // The rows of this step, and how many judgements they hold: the loss is the mean over them all.
  const datasets::StepFeed::Step rows = session.feed.step(step - 1);
  const model::Decoder& decoder = session.decoder;
  std::int64_t count = 0;
  for (const datasets::Batch& micro_batch : rows.micro_batches) {
    check_rows(objective, micro_batch, session.train_data, decoder.spec.num_labels);
    count += objective.count(micro_batch);
  }

  // Each micro-batch adds its part: what the head says at the places that are judged, against what
  // the rows say there.
  Judgements judgements;
  engine::StepReport report = engine::optimizer_step(
      session, step, rows,
      [&](const engine::DeviceBatch& batch) {
        const Tensor outputs = judged(decoder, objective, batch);
        judgements.add(outputs, batch);
        return objective.losses(outputs, values_of(batch), session.options.reward).sum() /
               static_cast<double>(count);
      },
      shares_prompts);
  if (step != engine::kProbeStep) judgements.gather(session.group);
  report.add(objective.of_step(judgements));
  return report;
}

report::Metrics RewardTrainer::evaluate() {
  const torch::NoGradGuard no_grad;
  const model::Decoder& decoder = session.decoder;
  const auto found = engine::measure_eval_batches(session, [&](const datasets::Batch& rows) {
    check_rows(objective, rows, session.eval_data, decoder.spec.num_labels);
    const engine::DeviceBatch batch = engine::to_device(rows, decoder.device(), shares_prompts);
    const Tensor outputs = judged(decoder, objective, batch);
    eval::Numbers numbers = {
        objective.losses(outputs, values_of(batch), session.options.reward).sum().item<double>(),
        static_cast<double>(objective.count(rows))};
    Judgements judgements;
    judgements.add(outputs, batch);
    put(judgements, numbers);
    return numbers;
  });
  Judgements judgements;
  double loss = 0, count = 0;
  for (const eval::Numbers& numbers : found) {
    engine::NumbersReader next(numbers);
    loss += next.number();
    count += next.number();
    take_more(next, judgements);
  }
  report::Metrics metrics = {{"eval_loss", loss / count}};
  for (const auto& [name, value] : objective.of_evaluation(judgements))
    metrics.emplace_back("eval_" + name, value);
  return metrics;
}

ExitCode run(const config::Loaded<engine::RunOptions>& config, const engine::Placement& placement,
             const engine::ResumeRequest& resume) {
  const config::Loaded<engine::RunOptions> with_its_head = with_head(config);
  engine::Session session = engine::open_session(with_its_head, placement, resume);
  const Objective& objective = objective_named(session.options.reward.loss_type);
  const std::int64_t outputs = session.decoder.spec.num_labels;
  HONE_CHECK(ConfigError, objective.most_outputs == 0 || outputs <= objective.most_outputs,
             "reward.loss_type: {} reads one output, and the head has {} (model.num_labels)",
             objective.name, outputs);
  const bool shares = engine::shares_prompts(session, session.options.reward.prefix_sharing);
  return engine::run_training(RewardTrainer{session, objective, shares}, resume);
}

}  // namespace hone::reward
