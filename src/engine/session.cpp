#include "engine/session.h"

#include "engine/load_options.h"
#include "engine/neftune.h"
#include "engine/recomputation.h"
#include "engine/run_data.h"
#include "engine/run_folder.h"
#include "model/load.h"
#include "model/weights.h"

namespace hone::engine {

Session open_session(const config::Loaded<RunOptions>& config, const Placement& placement) {
  const RunOptions& options = config.options;
  const std::filesystem::path base = resolve_model(options.model.base);
  const auto seed = static_cast<std::uint64_t>(options.train.seed);

  const model::Spec spec = model::load_spec(base, options.model.rope_scaling);
  const Text text = open_text(base, options.data.chat_template);
  SuiteWatch suite(options, text, spec);
  RunData data = load_run_data(options, text, spec);
  datasets::Sampler sampler = make_sampler(options, data);
  const std::int64_t steps = total_steps(options.train, sampler);
  const datasets::Sampler::Extremes extremes = sampler.extremes(steps);

  model::Decoder decoder = model::load_decoder(base, load_options(options.model, placement));
  Trainable trainable = make_trainable(decoder, options.adapter, config.given, seed);
  decoder.recomputation =
      make_recomputation(options.train, decoder.layers.size(), trainable.dropout);
  add_neftune(decoder, options.train.neftune_noise_alpha, trainable.dropout);
  optim::Optimizer optimizer(trainable.parameters, options.optim);
  return {.options = options,
          .placement = placement,
          .decoder = std::move(decoder),
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
          .base_sha256 = std::async(std::launch::async, model::hash_of_weights, base).share()};
}

nlohmann::json Session::identity() const {
  return identity_of(options, base_sha256.get(), train_data.info().sha256);
}

}  // namespace hone::engine
