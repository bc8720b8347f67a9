#include "engine/session.h"

#include "engine/base_model.h"
#include "engine/neftune.h"
#include "engine/preference_options.h"
#include "engine/qat.h"
#include "engine/recomputation.h"
#include "engine/run_data.h"
#include "engine/run_folder.h"
#include "engine/run_lineage.h"
#include "model/load.h"
#include "model/score_head.h"
#include "model/weights.h"

namespace hone::engine {

Session open_session(const config::Loaded<RunOptions>& config, const Placement& placement) {
  const RunOptions& options = config.options;
  const BaseModel base =
      open_base(options.model, options.data.chat_template, {options.adapter.init_from});
  SuiteWatch suite(options, base.text, base.spec);
  RunData data = load_run_data(options, base.text, base.spec);
  datasets::Sampler sampler = make_sampler(options, data);
  const std::int64_t steps = total_steps(options.train, sampler);
  const datasets::Sampler::Extremes extremes = sampler.extremes(steps);

  model::Decoder decoder = load_base(base, options.model, placement);
  if (options.model.num_labels > 0)
    model::add_score_head(decoder, options.model.num_labels,
                          static_cast<std::uint64_t>(options.train.seed));
  std::optional<model::Decoder> untouched;
  if (needs_base(options)) untouched = decoder;
  Trainable trainable = make_trainable(decoder, options.adapter, config.given,
                                       {.added_ids = base.text.added_ids(),
                                        .total_steps = steps,
                                        .seed = static_cast<std::uint64_t>(options.train.seed)});
  auto qat = add_fake_quantization(decoder, options.qat, trainable.parameters, steps);
  decoder.recomputation =
      make_recomputation(options.train, decoder.layers.size(), trainable.dropout);
  add_neftune(decoder, options.train.neftune_noise_alpha, trainable.dropout);
  optim::Optimizer optimizer(trainable.parameters, options.optim);
  return {.options = options,
          .placement = placement,
          .text = base.text,
          .decoder = std::move(decoder),
          .base = std::move(untouched),
          .trainable = std::move(trainable),
          .train_data = data.train,
          .eval_data = std::move(data.eval),
          .feed = {data.train, std::move(sampler), steps},
          .suite = std::move(suite),
          .optimizer = std::move(optimizer),
          .schedule = optim::make_schedule(options.schedule, options.optim.learning_rate, steps),
          .total_steps = steps,
          .extremes = extremes,
          .progress = RunState(options),
          .base_sha256 = std::async(std::launch::async, model::hash_of_weights, base.path).share(),
          .lineage = lineage_of_run(options, placement, base.text, std::move(data.inputs)),
          .qat = std::move(qat)};
}

nlohmann::json Session::identity() const {
  return identity_of(options, base_sha256.get(), train_data.info().sha256);
}

nlohmann::json Session::origin() const {
  Lineage whole = lineage;
  whole.base.sha256 = base_sha256.get();
  return as_json(whole);
}

}  // namespace hone::engine
