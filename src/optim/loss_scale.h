#pragma once

#include <cstdint>
#include <vector>

#include "optim/parameter.h"

namespace hone::optim {

/// What a loss is multiplied by before its gradient is computed in fp16, so that small gradients
/// do not become 0; the gradients of the masters are divided by it. It is halved where a gradient
/// overflows, and doubled after kGrowthInterval steps running in which none did.
/// @source arXiv:1710.03740, section 3.2; growth, backoff and interval as torch.amp.GradScaler
struct LossScale {
  static constexpr double kStart = 65536;
  static constexpr double kGrowth = 2, kBackoff = 0.5;
  static constexpr std::int64_t kGrowthInterval = 2000;
  static constexpr double kFloor = 1;  ///< below it gradients would be made smaller, not larger

  double factor = kStart;
  std::int64_t finite_in_a_row = 0;     ///< steps since the factor changed
  std::vector<std::int64_t> overflows;  ///< the steps that changed no weight because of it

  /// After a step whose gradients are finite.
  void note_finite();
  /// After one whose gradients are not, though its loss is.
  /// @throws Error where the factor is at its floor
  void note_overflow(std::int64_t step);
};

/// Divides all gradients by the factor.
void unscale(const std::vector<Parameter>& parameters, double factor);

}  // namespace hone::optim
