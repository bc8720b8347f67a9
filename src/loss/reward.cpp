#include "loss/reward.h"

namespace hone::loss {

using torch::Tensor;

Tensor bradley_terry_loss(const Tensor& chosen, const Tensor& rejected,
                          const std::optional<Tensor>& margin, double center_coefficient) {
  const Tensor difference = margin ? chosen - rejected - *margin : chosen - rejected;
  const Tensor losses = -torch::log_sigmoid(difference);
  if (center_coefficient == 0) return losses;
  return losses + center_coefficient * (chosen + rejected).square();
}

}  // namespace hone::loss
