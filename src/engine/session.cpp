#include "engine/session.h"

#include "adapters/dropout_probability.h"
#include "engine/base_model.h"
#include "engine/eva_pass.h"
#include "engine/neftune.h"
#include "engine/preference_options.h"
#include "engine/qat.h"
#include "engine/recomputation.h"
#include "engine/relora_restart.h"
#include "engine/run_data.h"
#include "engine/run_folder.h"
#include "engine/run_lineage.h"
#include "engine/sharding.h"
#include "engine/start_weights.h"
#include "model/load.h"
#include "model/score_head.h"
#include "model/weights.h"

namespace hone::engine {
namespace {

optim::Schedule schedule_of(const RunOptions& options, std::int64_t steps) {
  optim::Schedule schedule =
      optim::make_schedule(options.schedule, options.optim.learning_rate, steps);
  const adapters::AdapterOptions& adapter = options.adapter;
  if (adapter.relora_steps > 0)
    schedule.restarts = {.every = adapter.relora_steps,
                         .warmup_steps = adapter.relora_warmup_steps,
                         .anneal_steps = adapter.relora_anneal_steps};
  return schedule;
}

/// What several ranks do not share.
void check_ranks(const RunOptions& options, int world) {
  HONE_CHECK(ConfigError, world == 1 || !options.optim.step_in_backward,
             "optim.step_in_backward updates a weight before the other ranks' gradients of it are "
             "there; train in one process, or leave it out");
}

}  // namespace

Session open_session(const config::Loaded<RunOptions>& config, const Placement& placement,
                     const ResumeRequest& resume) {
  const RunOptions& options = config.options;
  const distributed::Place place = distributed::find_place();
  check_ranks(options, place.world);
  const BaseModel base =
      open_base(options.model, options.data.chat_template, {options.adapter.init_from});
  SuiteWatch suite(options, base.text, base.spec);
  RunData data = load_run_data(options, base.text, base.spec);
  datasets::Sampler sampler = make_sampler(options, data, place.world);
  const std::int64_t steps = total_steps(options.train, sampler);
  const datasets::Sampler::Extremes extremes = sampler.extremes(steps);

  model::Decoder decoder = load_base(base, options.model, placement);
  if (options.model.num_labels > 0)
    model::add_score_head(decoder, options.model.num_labels,
                          static_cast<std::uint64_t>(options.train.seed));
  std::optional<model::Decoder> untouched;
  if (needs_base(options)) untouched = decoder;
  auto eva = eva_start(options, decoder, data.train, sampler, resume);
  Trainable trainable = make_trainable(decoder, options.adapter, config.given,
                                       {.added_ids = base.text.added_ids(),
                                        .total_steps = steps,
                                        .seed = static_cast<std::uint64_t>(options.train.seed),
                                        .base = base.path,
                                        .eva = eva ? &*eva : nullptr,
                                        .master_dtype = placement.master_dtype});
  HONE_CHECK(
      ConfigError,
      !options.qat.is_on() || !trainable.adapter ||
          adapters::dropout_of(trainable.adapter->settings) == 0,
      "adapter.init_from: its dropout drops parts of an adapter's input, and qat.format packs "
      "the adapter and its base as one weight; set adapter.lora_dropout: 0");
  auto qat = add_fake_quantization(decoder, options.qat, trainable.parameters, steps);
  decoder.recomputation =
      make_recomputation(options.train, decoder.layers.size(), trainable.dropout);
  add_neftune(decoder, options.train.neftune_noise_alpha, trainable.dropout);
  // As late as can be: nobody waits here for one who still reads data or weights.
  const auto group = distributed::Group::join(place, options.distributed, placement.device);
  share_start(group, trainable.parameters);
  auto sharding =
      divide_among_ranks(options, group, decoder, untouched ? &*untouched : nullptr, trainable);
  optim::Optimizer optimizer(trainable.parameters, options.optim,
                             static_cast<std::uint64_t>(options.train.seed));
  if (trainable.relora) check_can_restart(trainable, optimizer, options.optim);
  return {.options = options,
          .placement = placement,
          .text = base.text,
          .decoder = std::move(decoder),
          .base = std::move(untouched),
          .trainable = std::move(trainable),
          .eva_start = std::move(eva),
          .train_data = data.train,
          .eval_data = std::move(data.eval),
          .feed = {data.train, std::move(sampler), steps, place.rank, place.world},
          .suite = std::move(suite),
          .optimizer = std::move(optimizer),
          .schedule = schedule_of(options, steps),
          .total_steps = steps,
          .extremes = extremes,
          .progress = RunState(options, placement.compute_dtype == torch::kFloat16),
          .base_sha256 = std::async(std::launch::async, model::hash_of_weights, base.path).share(),
          .lineage = lineage_of_run(options, placement, base.text, std::move(data.inputs)),
          .qat = std::move(qat),
          .group = group,
          .sharding = std::move(sharding)};
}

std::size_t Session::passes_left(const datasets::StepFeed::Step& rows) const {
  return sharding && sharding->passes_are_shared() ? rows.passes_left() : 0;
}

nlohmann::json Session::identity() const {
  return identity_of(options, base_sha256.get(), train_data.info().sha256, group.world());
}

nlohmann::json Session::origin() const {
  Lineage whole = lineage;
  whole.base.sha256 = base_sha256.get();
  return as_json(whole);
}

}  // namespace hone::engine
