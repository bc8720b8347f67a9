#include "adapters/relora.h"

#include "base/error.h"

namespace hone::adapters {
namespace {

/// Every restart draws numbers of its own: an odd multiplier keeps their seeds apart.
std::uint64_t seed_of(std::uint64_t seed, std::int64_t restart) {
  return seed + 0x9E3779B97F4A7C15u * static_cast<std::uint64_t>(restart);
}

}  // namespace

Relora::Relora(const Adapter& adapter, model::Decoder& decoder, const AdapterOptions& options,
               std::uint64_t seed)
    : every_(options.relora_steps),
      prune_ratio_(options.relora_prune_ratio),
      seed_(seed),
      done_(torch::zeros({1}, torch::kInt64)) {
  HONE_CHECK(ConfigError, !adapter.settings.says("lora_bias"),
             "{}: adapter.relora_steps: a lora_bias cannot be merged at a restart",
             adapter.settings.where());
  for (const AdaptedModule& module : adapter.modules) {
    HONE_CHECK(ConfigError, module.site.kind == SiteKind::kLinear,
               "{}: adapter.relora_steps: restarts merge into the layers' matrices; leave {} out "
               "of target_modules",
               adapter.settings.where(), module.site.name);
    base_.take_over(linear_at(decoder, module.site));
  }
}

void Relora::restart(Adapter& adapter, model::Decoder& decoder, std::int64_t step) {
  const torch::NoGradGuard no_grad;
  const std::int64_t number = (step - 1) / every_;
  for (AdaptedModule& module : adapter.modules) {
    const model::Linear& linear = linear_at(decoder, module.site);
    base_.put(linear.name, linear.adapter->merged_weight(linear));
    const Tensors fresh =
        first_numbers(*adapter.method, adapter.settings, module.site, seed_of(seed_, number),
                      [&linear] { return base_weight(linear, torch::kFloat32); });
    for (auto& [name, tensor] : module.tensors) tensor.copy_(fresh.at(name));
  }
  done_.fill_(number);
}

std::vector<NamedTensor> Relora::state() const {
  std::vector<NamedTensor> state = base_.state();
  state.push_back({"relora.restarts", done_, false});
  return state;
}

}  // namespace hone::adapters
