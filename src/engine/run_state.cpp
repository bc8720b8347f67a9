#include "engine/run_state.h"

#include "base/error.h"

namespace hone::engine {

using nlohmann::json;

json RunState::to_json() const {
  json saved = {{"step", step},
                {"epoch", epoch},
                {"epoch_before", epoch_before},
                {"evaluated_step", evaluated_step},
                {"guard", guard.state()},
                {"stopping", stopping.state()}};
  if (loss_scale)
    saved["loss_scale"] = {{"factor", loss_scale->factor},
                           {"finite_in_a_row", loss_scale->finite_in_a_row},
                           {"overflows", loss_scale->overflows}};
  return saved;
}

void RunState::restore(const json& saved) try {
  step = saved.at("step").get<std::int64_t>();
  epoch = saved.at("epoch").get<double>();
  epoch_before = saved.at("epoch_before").get<double>();
  evaluated_step = saved.at("evaluated_step").get<std::int64_t>();
  guard.restore(saved.at("guard"));
  stopping.restore(saved.at("stopping"));
  if (!loss_scale || !saved.contains("loss_scale")) return;  // saved by a run in another precision
  const json& scale = saved.at("loss_scale");
  loss_scale->factor = scale.at("factor").get<double>();
  loss_scale->finite_in_a_row = scale.at("finite_in_a_row").get<std::int64_t>();
  loss_scale->overflows = scale.at("overflows").get<std::vector<std::int64_t>>();
} catch (const json::exception& error) {
  throw CheckpointError(fmt::format(
      "the checkpoint's state of the run cannot be read: {}. Go on with the hone that wrote it",
      error.what()));
}

}  // namespace hone::engine
