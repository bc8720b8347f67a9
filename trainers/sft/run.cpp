#include <torch/version.h>

#include "base/hash.h"
#include "base/log.h"
#include "config/load.h"
#include "engine/load_options.h"
#include "engine/run_data.h"
#include "engine/run_loop.h"
#include "model/load.h"
#include "model/weights.h"
#include "trainers/sft/sft.h"

namespace hone::sft {
namespace {

namespace fs = std::filesystem;

report::RunRecord start_record(const engine::RunOptions& options, const SftTrainer& trainer) {
  report::RunRecord record;
  record.method = options.train.method;
  record.seed = static_cast<std::uint64_t>(options.train.seed);
  record.data_sha256 = trainer.train_data.info().sha256;
  record.config_sha256 = sha256_hex(config::dump(options));
  record.hone_version = HONE_VERSION;
  record.libtorch_version = TORCH_VERSION;
  record.host = report::host_facts();
  return record;
}

void introduce(SftTrainer& trainer, const engine::Placement& placement) {
  const datasets::RowTotals& data = trainer.train_data.totals();
  log::info("model   {}: {:.1f} M weights, {} trained ({}), computed in {} on {}",
            trainer.options.model.base, double(model::parameter_count(trainer.decoder.spec)) / 1e6,
            trainer.trainable.parameter_count(), trainer.options.adapter.method,
            engine::dtype_label(placement.compute_dtype), placement.device.str());
  log::info("weights {}", engine::kept_as(trainer.decoder));
  log::info("data    {} rows, {} tokens, {:.1f} % of them trained on", data.rows, data.tokens,
            100.0 * data.weight / double(data.tokens));
  log::info("run     {} steps into {}", trainer.total_steps, trainer.options.train.output_dir);
}

}  // namespace

SftTrainer setup(const config::Loaded<engine::RunOptions>& config,
                 const engine::Placement& placement) {
  const engine::RunOptions& options = config.options;
  const fs::path base = engine::resolve_model(options.model.base);
  const auto seed = static_cast<std::uint64_t>(options.train.seed);

  const model::Spec spec = model::load_spec(base, options.model.rope_scaling);
  const engine::Text text = engine::open_text(base, options.data.chat_template);
  engine::SuiteWatch suite(options, text, spec);
  engine::RunData data = engine::load_run_data(options, text, spec);
  datasets::Sampler sampler = engine::make_sampler(options, data);
  const std::int64_t total_steps = engine::total_steps(options.train, sampler);

  model::Decoder decoder =
      model::load_decoder(base, engine::load_options(options.model, placement));
  engine::Trainable trainable =
      engine::make_trainable(decoder, options.adapter, config.given, seed);
  optim::Optimizer optimizer(trainable.parameters, options.optim);
  return {
      .options = options,
      .decoder = std::move(decoder),
      .trainable = std::move(trainable),
      .train_data = data.train,
      .eval_data = std::move(data.eval),
      .feed = {data.train, std::move(sampler), total_steps},
      .suite = std::move(suite),
      .optimizer = std::move(optimizer),
      .schedule = optim::make_schedule(options.schedule, options.optim.learning_rate, total_steps),
      .total_steps = total_steps,
      .base_sha256 = std::async(std::launch::async, model::hash_of_weights, base).share()};
}

ExitCode run(const config::Loaded<engine::RunOptions>& config, const engine::Placement& placement,
             const engine::ResumeRequest& resume) {
  const engine::RunOptions& options = config.options;
  SftTrainer trainer = setup(config, placement);
  const auto checkpoint = engine::open_run_folder(options, resume);
  const report::Metrics start = trainer.suite.measure_start(trainer.decoder);
  std::int64_t steps_done = 0;
  if (checkpoint) {
    steps_done = engine::load_checkpoint(*checkpoint, options, trainer.trainable, trainer.optimizer,
                                         trainer.identity());
    log::info("resume  after step {} from {}", steps_done, checkpoint->folder.string());
  }
  introduce(trainer, placement);

  engine::RunBook book(options.train.output_dir, steps_done, trainer.total_steps,
                       start_record(options, trainer), options.report);
  if (steps_done == 0 && !start.empty()) book.note_evaluation(0, start);
  try {
    const bool done = engine::run_loop(trainer, book, options, steps_done, trainer.total_steps);
    book.record().base_sha256 = trainer.base_sha256.get();
    if (!done) {
      book.close("stopped");
      log::info("stopped by a signal, saved; `--resume auto` goes on");
      return ExitCode::kRunAgain;
    }
    trainer.optimizer.take_averages();
    const fs::path product =
        engine::save_product(trainer.trainable, trainer.decoder, options.train.output_dir,
                             engine::resolve_model(options.model.base));
    book.close("done");
    if (const std::string changes = trainer.suite.changes(); !changes.empty())
      log::info("suite   at the start -> now, and the difference (95 %)\n{}", changes);
    log::info("saved   {}", product.string());
    return ExitCode::kDone;
  } catch (const std::exception& error) {
    book.close("failed", error.what());
    throw;
  }
}

}  // namespace hone::sft
