#include "engine/relora_restart.h"

#include <cmath>
#include <set>

#include "base/error.h"
#include "base/log.h"

namespace hone::engine {
namespace {

/// What the optimizer remembers of the matrices that begin again.
optim::NamedTensors states_of(const adapters::Adapter& adapter, const optim::Optimizer& optimizer) {
  std::set<std::string> names;
  for (const adapters::AdaptedModule& module : adapter.modules)
    for (const auto& [name, tensor] : module.tensors)
      names.insert("base_model.model." + module.site.name + "." + name);
  optim::NamedTensors states;
  for (const auto& [name, tensor] : optimizer.state())
    if (names.count(name.substr(0, name.rfind('.'))) > 0) states.emplace_back(name, tensor);
  return states;
}

/// Sets the smallest numbers to zero.
void prune(torch::Tensor numbers, double ratio) {
  const auto forgotten = static_cast<std::int64_t>(std::ceil(ratio * double(numbers.numel())));
  if (forgotten == 0) return;
  const torch::Tensor sizes = numbers.abs();
  const torch::Tensor threshold = std::get<0>(sizes.flatten().kthvalue(forgotten));
  numbers.mul_(sizes > threshold);
}

}  // namespace

void check_can_restart(const Trainable& trainable, const optim::Optimizer& optimizer,
                       const optim::OptimOptions& options) {
  HONE_CHECK(ConfigError, options.ema_decay == 0,
             "optim.ema_decay: an average over updates that begin again is none of the model; "
             "leave it out, or adapter.relora_steps");
  for (const auto& [name, tensor] : states_of(*trainable.adapter, optimizer))
    HONE_CHECK(ConfigError, tensor.scalar_type() == torch::kFloat32,
               "optim.name: {} keeps {} in another form than numbers; adapter.relora_steps prunes "
               "it at restarts. Take adamw, or another that keeps its state in fp32",
               options.name, name);
}

void restart_where_due(Session& session, std::int64_t step) {
  std::optional<adapters::Relora>& relora = session.trainable.relora;
  if (!relora || !relora->is_due(step)) return;
  const torch::NoGradGuard no_grad;
  relora->restart(*session.trainable.adapter, session.decoder, step);
  for (const auto& [name, tensor] : states_of(*session.trainable.adapter, session.optimizer))
    prune(tensor, relora->prune_ratio());
  log::verbose("relora  restart {} before step {}", relora->done(), step);
}

}  // namespace hone::engine
