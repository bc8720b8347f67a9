#include "engine/session.h"

#include "engine/base_model.h"
#include "engine/run_data.h"
#include "engine/run_folder.h"
#include "model/load.h"
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

  model::Decoder decoder = load_base(base, options.model, placement);
  Trainable trainable = make_trainable(decoder, options.adapter, config.given,
                                       {.added_ids = base.text.added_ids(),
                                        .total_steps = steps,
                                        .seed = static_cast<std::uint64_t>(options.train.seed)});
  optim::Optimizer optimizer(trainable.parameters, options.optim);
  return {.options = options,
          .placement = placement,
          .text = base.text,
          .decoder = std::move(decoder),
          .trainable = std::move(trainable),
          .train_data = data.train,
          .eval_data = std::move(data.eval),
          .feed = {data.train, std::move(sampler), steps},
          .suite = std::move(suite),
          .optimizer = std::move(optimizer),
          .schedule = optim::make_schedule(options.schedule, options.optim.learning_rate, steps),
          .total_steps = steps,
          .base_sha256 = std::async(std::launch::async, model::hash_of_weights, base.path).share()};
}

nlohmann::json Session::identity() const {
  return identity_of(options, base_sha256.get(), train_data.info().sha256);
}

}  // namespace hone::engine
