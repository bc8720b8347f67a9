#include "unit/engine/scripted_run.h"

#include <fstream>

#include "base/file.h"
#include "checkpoint/checkpoints.h"
#include "checkpoint/state.h"
#include "engine/evaluate.h"
#include "engine/kept_tensors.h"
#include "engine/optimizer_step.h"
#include "io/json.h"
#include "loss/cross_entropy.h"
#include "model/head.h"

namespace hone::test {

using torch::Tensor;

engine::StepReport ScriptedTrainer::step(std::int64_t step) {
  const datasets::StepFeed::Step rows = session.feed.step(step - 1);
  double total_weight = 0;
  for (const datasets::Batch& micro_batch : rows.micro_batches)
    total_weight += micro_batch.trained_weight();
  const auto factor = loss_factors.find(step);
  const model::Decoder& decoder = session.decoder;
  const engine::StepReport report =
      engine::optimizer_step(session, step, rows, [&](const engine::DeviceBatch& batch) {
        const Tensor hidden = model::hidden_states(decoder, batch.tokens);
        const Tensor logps = model::token_logps(decoder, hidden, batch.rows_M, batch.targets_M);
        if (after_forward) after_forward(step);
        const Tensor loss = loss::weighted_nll(logps, batch.weights_M, total_weight);
        return factor == loss_factors.end() ? loss : loss * factor->second;
      });
  if (after_step) after_step(step);
  return report;
}

report::Metrics ScriptedTrainer::evaluate() {
  if (measure) return measure(session.progress.step);
  return engine::evaluate_loss(session.decoder, session.eval_data,
                               session.options.eval.tokens_per_device_batch,
                               engine::crew_of(session));
}

ExitCode ScriptedRun::train(const std::vector<std::string>& overrides, bool resume,
                            const std::string& from) const {
  const std::string rows = fixture("train/data/sft.jsonl").string();
  const std::string config = "model: {base: '" + fixture("train/_base").string() +
                             "'}\nadapter: " + adapter + "\ndata: {train: '" + rows + "', eval: '" +
                             rows + "'}\ntrain: {output_dir: '" + output().string() +
                             "', precision: fp32, max_steps: 20, per_device_train_batch_size: 2}\n"
                             "optim: {learning_rate: 1e-3}\nreport: {html: false}\n";
  const auto loaded =
      config::load<engine::RunOptions>(folder.write("config.yaml", config), overrides);
  engine::Session session = engine::open_session(
      loaded, engine::place("cpu", loaded.options.train.precision, loaded.options.model.dtype),
      {resume, from});
  ScriptedTrainer trainer{session};
  script(trainer);
  return engine::run_training(std::move(trainer), {resume, from});
}

std::string ScriptedRun::product() const {
  const std::filesystem::path saved = output() / "adapter" / "adapter_model.safetensors";
  return read_file(std::filesystem::exists(saved) ? saved
                                                  : output() / "model" / "model.safetensors");
}

std::vector<std::int64_t> ScriptedRun::checkpoints() const {
  std::vector<std::int64_t> steps;
  for (const checkpoint::Entry& entry : checkpoint::list(output())) {
    steps.push_back(entry.step);
    const checkpoint::State state = checkpoint::load_state(checkpoint::verify(entry.folder));
    for (const checkpoint::StoredTensors* stored : {&state.trainable, &state.optimizer})
      for (const auto& [name, tensor] : stored->tensors())
        EXPECT_TRUE(engine::read_whole(tensor).isfinite().all().item<bool>())
            << entry.folder << name;
  }
  return steps;
}

std::map<std::int64_t, double> ScriptedRun::metric(const std::string& key) const {
  std::map<std::int64_t, double> values;
  std::ifstream file(output() / "metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    const auto row = nlohmann::json::parse(line);
    if (row.contains(key) && row[key].is_number()) values[row["step"]] = row[key];
  }
  return values;
}

nlohmann::json ScriptedRun::record() const { return io::read_json(output() / "run.json"); }

}  // namespace hone::test
