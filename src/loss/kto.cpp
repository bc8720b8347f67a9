#include "loss/kto.h"

#include "base/error.h"

namespace hone::loss {

using torch::Tensor;

Tensor kto_baseline(const Tensor& policy_logps, const Tensor& ref_logps) {
  return (policy_logps - ref_logps).mean().clamp_min(0).detach();
}

RowLosses kto_loss(const Tensor& policy_logps, const Tensor& ref_logps, const Tensor& desirable,
                   const Tensor& baseline, const KtoSettings& settings) {
  const bool has_baseline = settings.loss_type == "kto";
  HONE_CHECK(ConfigError, has_baseline || settings.loss_type == "apo_zero_unpaired",
             "loss_type: '{}' is unknown; expected kto or apo_zero_unpaired", settings.loss_type);
  const Tensor ratio = policy_logps - ref_logps;
  const Tensor gain = (has_baseline ? ratio - baseline : ratio) * settings.beta;
  // A bad row is a good one seen from the other side: 1 − σ(−gain) = σ(gain).
  const Tensor losses = torch::where(desirable, settings.desirable_weight * torch::sigmoid(-gain),
                                     settings.undesirable_weight * torch::sigmoid(gain));
  return {losses, ratio.detach() * settings.beta};
}

}  // namespace hone::loss
