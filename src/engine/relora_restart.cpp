#include "engine/relora_restart.h"

#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "base/log.h"

namespace hone::engine {
namespace {

/// What the optimizer remembers of the matrices that begin again, matrix by matrix.
std::map<std::string, optim::NamedTensors> states_of(const adapters::Adapter& adapter,
                                                     const optim::Optimizer& optimizer) {
  std::set<std::string> names;
  for (const adapters::AdaptedModule& module : adapter.modules)
    for (const auto& [name, tensor] : module.tensors)
      names.insert("base_model.model." + module.site.name + "." + name);
  std::map<std::string, optim::NamedTensors> states;
  for (const auto& [name, tensor] : optimizer.state())
    if (const std::string of = name.substr(0, name.rfind('.')); names.count(of) > 0)
      states[of].emplace_back(name, tensor);
  return states;
}

/// Sets to zero what is remembered where the first of the states is smallest: in all of them, as
/// Adam would divide what is left of one moment by nothing where the other alone is forgotten.
void prune(const optim::NamedTensors& states, double ratio) {
  const torch::Tensor sizes = states.front().second.abs();
  const auto forgotten = static_cast<std::int64_t>(std::ceil(ratio * double(sizes.numel())));
  if (forgotten == 0) return;
  const torch::Tensor threshold = std::get<0>(sizes.flatten().kthvalue(forgotten));
  const torch::Tensor kept = sizes > threshold;
  for (const auto& [name, tensor] : states) torch::Tensor(tensor).mul_(kept);
}

}  // namespace

void check_can_restart(const Trainable& trainable, const optim::Optimizer& optimizer,
                       const optim::OptimOptions& options) {
  HONE_CHECK(ConfigError, options.ema_decay == 0,
             "optim.ema_decay: an average over updates that begin again is none of the model; "
             "leave it out, or adapter.relora_steps");
  for (const auto& [matrix, states] : states_of(*trainable.adapter, optimizer))
    for (const auto& [name, tensor] : states)
      HONE_CHECK(ConfigError,
                 tensor.scalar_type() == torch::kFloat32 &&
                     tensor.sizes() == states.front().second.sizes(),
                 "optim.name: {} keeps {} in another form than a number for each weight; "
                 "adapter.relora_steps prunes it at restarts. Take adamw, or another that keeps "
                 "its state so",
                 options.name, name);
}

void restart_where_due(Session& session, std::int64_t step) {
  std::optional<adapters::Relora>& relora = session.trainable.relora;
  if (!relora || !relora->is_due(step)) return;
  const torch::NoGradGuard no_grad;
  relora->restart(*session.trainable.adapter, session.decoder, step);
  for (const auto& [matrix, states] : states_of(*session.trainable.adapter, session.optimizer))
    prune(states, relora->prune_ratio());
  log::verbose("relora  restart {} before step {}", relora->done(), step);
}

}  // namespace hone::engine
