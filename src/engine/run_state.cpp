#include "engine/run_state.h"

#include "base/error.h"

namespace hone::engine {

using nlohmann::json;

json RunState::to_json() const {
  return {{"step", step},
          {"epoch", epoch},
          {"epoch_before", epoch_before},
          {"evaluated_step", evaluated_step},
          {"guard", guard.state()},
          {"stopping", stopping.state()}};
}

void RunState::restore(const json& saved) try {
  step = saved.at("step").get<std::int64_t>();
  epoch = saved.at("epoch").get<double>();
  epoch_before = saved.at("epoch_before").get<double>();
  evaluated_step = saved.at("evaluated_step").get<std::int64_t>();
  guard.restore(saved.at("guard"));
  stopping.restore(saved.at("stopping"));
} catch (const json::exception& error) {
  throw CheckpointError(fmt::format(
      "the checkpoint's state of the run cannot be read: {}. Go on with the hone that wrote it",
      error.what()));
}

}  // namespace hone::engine
