#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace hone::optim {

double Schedule::at(std::int64_t step) const {
  if (type == "constant") return peak;
  if (step < warmup_steps) return peak * double(step) / double(warmup_steps);
  if (type == "constant_with_warmup") return peak;
  const double decay_steps = double(std::max<std::int64_t>(1, total_steps - warmup_steps));
  const double progress = double(step - warmup_steps) / decay_steps;
  if (type == "linear") return peak * std::max(0.0, 1.0 - progress);
  HONE_ASSERT(type == "cosine", "{}", type);
  return peak * std::max(0.0, 0.5 * (1.0 + std::cos(std::numbers::pi * progress)));
}

Schedule make_schedule(const ScheduleOptions& options, double learning_rate,
                       std::int64_t total_steps) {
  const auto by_ratio =
      static_cast<std::int64_t>(std::ceil(options.warmup_ratio * double(total_steps)));
  return {options.lr_scheduler_type, learning_rate,
          options.warmup_steps > 0 ? options.warmup_steps : by_ratio, total_steps};
}

}  // namespace hone::optim
